"""From a parser's source to an artifact: what it is, read without running it."""
