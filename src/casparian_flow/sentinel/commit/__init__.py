"""Turns what a worker sealed into visible rows, or refuses it."""
