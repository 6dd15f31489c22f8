"""What a user may fix instead of letting it be detected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from delimited_sniff import Fixed

from casparian_flow.sdk import PermanentError

_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "none": None, "": None}
_NEWLINES = ("lf", "crlf", "cr", "mixed")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the manifest, checked. `fixed` are those that belong to the dialect."""

    encoding: str | None
    header: int | None
    skip: int | None
    resync: bool
    nulls: tuple[str, ...]
    fixed: Fixed

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Options:
        """From what the parser was given; raises PermanentError for a value that makes no sense."""
        fixed: dict[str, str | None] = {}
        for name in ("delimiter", "quote", "escape"):
            if options.get(name) is not None:
                fixed[name] = _character(name, str(options[name]))
        newline = options.get("newline")
        if newline is not None:
            if newline not in _NEWLINES:
                raise PermanentError(f"option newline is {newline!r}; it must be one of {', '.join(_NEWLINES)}")
            fixed["newline"] = str(newline)
        encoding = options.get("encoding")
        return cls(
            None if encoding is None else str(encoding),
            _count("header", options.get("header")),
            _count("skip", options.get("skip")),
            options.get("resync") not in (False, "false", "off", "0", 0),
            tuple(text for text in str(options.get("null") or "").split(",") if text),
            fixed,
        )


def _character(name: str, given: str) -> str | None:
    value = _NAMES.get(given, given)
    if value is not None and ("\n" in value or "\r" in value):
        raise PermanentError(f"option {name} is {value!r}; it must not end a line")
    if value is not None and name != "delimiter" and not (len(value) == 1 and value.isascii()):
        raise PermanentError(f"option {name} is {value!r}; it must be one ASCII character")
    return value


def _count(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return int(value)
    try:
        count = int(value)
    except (TypeError, ValueError) as exc:
        raise PermanentError(f"option {name} is {value!r}; it must be a number of lines") from exc
    if not 0 <= count <= 1000:
        raise PermanentError(f"option {name} is {count}; it must be between 0 and 1000")
    return count
