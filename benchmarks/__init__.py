"""Measurements, and how to repeat them; none of them is a test."""
