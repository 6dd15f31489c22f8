"""Gives jobs out to workers, and knows what becomes of them."""
