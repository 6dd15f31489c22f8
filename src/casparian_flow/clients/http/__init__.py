"""The control API: the operation registry over HTTP."""
