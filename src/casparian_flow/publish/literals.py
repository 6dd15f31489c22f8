"""Calls and values written out in a source, read without running it."""

from __future__ import annotations

import ast
import difflib
from typing import Any

from casparian_flow.publish.syntax import Source


def arguments(source: Source, call: ast.Call, names: list[str]) -> dict[str, ast.expr]:
    """The arguments of a call by name; raises ParserInvalid for one that does not exist."""
    if len(call.args) > len(names):
        raise source.invalid(f"{called(call)} takes at most {len(names)} arguments", call)
    found: dict[str, ast.expr] = {}
    for name, node in zip(names, call.args, strict=False):
        if isinstance(node, ast.Starred):
            raise source.invalid("`*` cannot be read without running the parser; write the values out", node)
        found[name] = node
    for keyword in call.keywords:
        if keyword.arg is None:
            raise source.invalid("`**` cannot be read without running the parser; write the values out", keyword)
        if keyword.arg not in names:
            near = difflib.get_close_matches(keyword.arg, names, 1)
            fix = f"did you mean `{near[0]}`?" if near else f"one of: {', '.join(names)}"
            raise source.invalid(f"{called(call)} has no `{keyword.arg}`", keyword, fix=fix)
        if keyword.arg in found:
            raise source.invalid(f"`{keyword.arg}` is given twice", keyword)
        found[keyword.arg] = keyword.value
    return found


def literal(source: Source, node: ast.expr) -> Any:
    """The value of an expression; raises ParserInvalid where only running it would tell."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as exc:
        raise source.invalid(
            f"{shown(node)} cannot be read without running the parser", node, fix="write the value out as a literal"
        ) from exc
    for part in (node,) if isinstance(node, ast.Constant) else ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and not _is_unicode(part.value):
            raise source.invalid(f"{shown(part)} holds half a character, which no file can keep", node)
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(node: ast.expr) -> str:
    """The beginning of an expression, as a message shows it."""
    try:
        return ast.unparse(node)[:80]
    except (RecursionError, ValueError):  # the latter for numbers of thousands of digits
        return "what is written here"


def called(call: ast.Call) -> str:
    """The name of what is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
