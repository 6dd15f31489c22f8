"""What can be wrong with a parser's answer, apart from the exceptions that it raises itself."""


class BadYield(Exception):
    """What the parser yielded cannot be sent as rows; the message says what to yield instead."""


class ReservedColumn(Exception):
    """A column or an output lies in the reserved `_cf_` namespace."""


class NotAParser(Exception):
    """The file loads, but has no entry point that we know."""
