"""A Python program that does nothing: the least that a command written in Python takes to start."""
