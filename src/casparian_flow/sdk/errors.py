"""How a parser says that a whole file cannot be read."""


class PermanentError(Exception):
    """The file can never be parsed by this parser; trying again cannot help."""


class TransientError(Exception):
    """Something outside the file failed; the same job may succeed when it is tried again."""
