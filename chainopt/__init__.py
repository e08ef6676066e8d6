"""Compositions of servers into chains that minimise the mean response time of chain-structured jobs."""
