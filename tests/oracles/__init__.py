"""Slow, obviously right answers, written from the equations alone: nothing here imports an algorithm of chainopt."""
