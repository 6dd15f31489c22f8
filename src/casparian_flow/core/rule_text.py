"""A rule as a person writes it in one line, and the line that a rule is shown as."""

from __future__ import annotations

import json
import re

from casparian_flow.core.errors import RuleInvalid
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope

FORMS = (
    "NAME: range COLUMN LOW..HIGH",
    "NAME: length COLUMN LOW..HIGH",
    "NAME: set COLUMN VALUE...",
    "NAME: pattern COLUMN EXPRESSION",
    "NAME: unique COLUMN... in file",
    "NAME: unique COLUMN... in table",
    "NAME: reference COLUMN... to TABLE COLUMN...",
)
"""One form for each kind. What has blanks in it stands in double quotes, as in JSON; a bound may be left out."""
_WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"(?=\s|$)|[^"\s]\S*)')


def parse_rule(text: str) -> Rule:
    """The rule that a line stands for; raises RuleInvalid where it has none of the forms."""
    name, _, said = text.partition(":")
    kind, _, rest = said.strip().partition(" ")
    if kind not in frozenset(RuleKind):
        raise _no_rule(text)
    column, behind = _first_word(text, rest)
    name, only = name.strip(), (column,)
    match RuleKind(kind):
        case RuleKind.RANGE | RuleKind.LENGTH:
            low, dots, high = behind.partition("..")
            if not dots:
                raise _no_rule(text)
            return Rule(name, RuleKind(kind), only, low=low.strip() or None, high=high.strip() or None)
        case RuleKind.SET:
            return Rule(name, RuleKind.SET, only, values=_words(text, behind))
        case RuleKind.PATTERN:
            return Rule(name, RuleKind.PATTERN, only, pattern=behind.strip())
        case RuleKind.UNIQUE:
            *columns, between, scope = (column, *_words(text, behind))
            if between != "in" or scope not in frozenset(UniqueScope):
                raise _no_rule(text)
            return Rule(name, RuleKind.UNIQUE, tuple(columns), scope=UniqueScope(scope))
        case RuleKind.REFERENCE:
            words = (column, *_words(text, behind))
            at = words.index("to") if "to" in words else len(words)
            if at + 2 > len(words):
                raise _no_rule(text)
            return Rule(name, RuleKind.REFERENCE, words[:at], table=words[at + 1], references=words[at + 2 :])


def rule_text(rule: Rule) -> str:
    """The line that stands for a rule."""
    columns = _joined(rule.columns)
    match rule.kind:
        case RuleKind.RANGE | RuleKind.LENGTH:
            says = f"{columns} {rule.low or ''}..{rule.high or ''}"
        case RuleKind.SET:
            says = f"{columns} {_joined(rule.values)}"
        case RuleKind.PATTERN:
            says = f"{columns} {rule.pattern}"
        case RuleKind.UNIQUE:
            says = f"{columns} in {rule.scope}"
        case RuleKind.REFERENCE:
            says = f"{columns} to {_joined((rule.table or '', *rule.references))}"
    return f"{rule.name}: {rule.kind} {says}"


def _first_word(text: str, rest: str) -> tuple[str, str]:
    found = _WORD.match(rest)
    if found is None:
        raise _no_rule(text)
    return _plain(text, found[1]), rest[found.end() :]


def _words(text: str, rest: str) -> tuple[str, ...]:
    words = []
    while rest.strip():
        word, rest = _first_word(text, rest)
        words.append(word)
    if not words:
        raise _no_rule(text)
    return tuple(words)


def _plain(text: str, word: str) -> str:
    if not word.startswith('"'):
        return word
    try:
        return str(json.loads(word))
    except ValueError as exc:
        raise _no_rule(text) from exc


def _joined(words: tuple[str, ...]) -> str:
    return " ".join(word if _WORD.fullmatch(word) and word[0] not in ' "' else _quoted(word) for word in words)


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)


def _no_rule(text: str) -> RuleInvalid:
    return RuleInvalid(f"{text!r} is no rule", fix=f"one of: {'; '.join(FORMS)}")
