"""Casparian Flow turns a directory of files into tables you can trust, and proves how it got them."""

__version__ = "0.1.0"
