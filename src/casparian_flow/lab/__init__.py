"""Tries a parser on a file before anything is trusted: no home, no sink, the same guest and the same rules."""
