"""Done: operations on the sentinel that serves a home, and who may speak with it."""
