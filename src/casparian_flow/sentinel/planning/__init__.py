"""Decides what must run, by which parser, and what is read again."""
