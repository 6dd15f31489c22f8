"""Finds files, versions and tags them; never parses them."""
