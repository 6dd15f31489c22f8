"""Asks a sentinel in another process, with nothing but the standard library and the words of operations."""
