"""Done: operations on the files that a home knows."""
