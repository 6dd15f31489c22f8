"""Which dialect the text of a sample is written in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from delimited_dialect import Dialect
from delimited_guess import PRIORS, Guess
from delimited_sample import RECORDS, Sample

Fixed = Mapping[str, str | None]
"""The parts of a dialect that options fix: `delimiter quote escape newline`."""

SAMPLE = 64 << 10
_FEW_STRAYS = 3
_RARE = ":/_=*#!"

_USUAL = (",", ";", "\t", "|")
_SPACED = (", ", "; ", " | ", " ; ", " , ", "| ", ": ")
_RUN = re.compile(r"""[^\w\s"'.\-+()\[\]{}/\\]{2,4}|\t{2,4}""")
_RUN_MARKS = bytes(ord("x") if code > 127 or _RUN.fullmatch(2 * chr(code)) else ord(" ") for code in range(256))
"""For each byte whether it may stand in a run."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """The best dialect, and for each of its parts how sure that is and what came second."""

    dialect: Dialect
    arity: int
    delimiter_confidence: float
    delimiter_runner_up: str | None
    quote_confidence: float
    quote_runner_up: str | None


def sniff(sample: bytes, eof: bool, fixed: Fixed) -> Sniffed:
    """The dialect that makes the most regular table of the sample; `fixed` parts are not questioned."""
    lines = Sample.of(sample, eof)
    text = lines.text
    rated: list[Guess] = []
    rated += [Guess(dialect, lines, rated) for dialect in _candidates(text, fixed)]
    eligible = [guess for guess in rated if _is_eligible(guess, rated, text)]
    best = _best(eligible)
    assert best is not None  # one column with double quotes, if nothing else
    other = _best([guess for guess in eligible if guess.dialect.delimiter != best.dialect.delimiter])
    other_quote = _best([g for g in rated if _differs_in_quote(g.dialect, best.dialect)])
    return Sniffed(
        best.dialect,
        best.arity,
        _confidence(best, other),
        None if other is None else other.dialect.delimiter or "none",
        _confidence(best, other_quote) if other_quote else 0.9,
        (other_quote.dialect.quote if other_quote else None if best.dialect.quote else '"') or "none",
    )


def _best(guesses: Sequence[Guess]) -> Guess | None:
    """The first of those with the highest score; only those that may have it are scored."""
    best: tuple[float, int] | None = None
    for at in sorted(range(len(guesses)), key=lambda at: -guesses[at].most):
        if best is not None and guesses[at].most < best[0]:
            break
        rank = (guesses[at].score, -at)
        best = rank if best is None else max(best, rank)
    return None if best is None else guesses[-best[1]]


def _differs_in_quote(one: Dialect, other: Dialect) -> bool:
    return one.delimiter == other.delimiter and one.quote != other.quote


def _confidence(best: Guess, other: Guess | None) -> float:
    if other is None or best.score <= 0:
        return 1.0 if best.score > 0 else 0.5
    return round(max(0.5, 1 - 0.5 * (other.score / best.score) ** 4), 3)


def _candidates(text: str, fixed: Fixed) -> list[Dialect]:
    ended = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    lines = [line for line in ended.split("\n", RECORDS)[:RECORDS] if line.strip()]
    delimiters = [fixed["delimiter"]] if "delimiter" in fixed else [None, *_delimiters(lines)]
    lone_cr = [True]
    alone = text.count("\r") - text.count("\r\n") if "\r" in text else 0
    if 0 < 5 * alone <= text.count("\n"):
        lone_cr = [True, False]
    if "newline" in fixed:
        lone_cr = [fixed["newline"] in ("cr", "mixed")]
    dialects = []
    for delimiter in delimiters:
        for quote in [fixed["quote"]] if "quote" in fixed else _quotes(text, delimiter):
            for escape in [fixed["escape"]] if "escape" in fixed else _escapes(text, delimiter, quote):
                for cr in lone_cr:
                    dialects.append(Dialect(delimiter, quote, escape, _leads(text, delimiter, quote), cr))
    return dialects


def _delimiters(lines: list[str]) -> list[str]:
    """What stands in a good part of the lines, and longer tokens where a single character never stands alone."""
    needed = max(1, len(lines) // 4)
    joined = "\n".join(lines)
    present = [d for d in PRIORS if d in joined]
    present += [d for d in _SPACED if d.strip() in present and d in joined]
    found = [d for d in present if sum([d in line for line in lines]) >= needed * (3 if d in _RARE else 1)]
    if _may_have_runs(joined):
        runs = Counter(run for line in lines for run in dict.fromkeys(_RUN.findall(line)))
        found += [run for run, times in runs.most_common(4) if times > len(lines) // 2 and run not in found]
    return found


def _may_have_runs(text: str) -> bool:
    return b"xx" in text.encode("utf-8", "replace").translate(_RUN_MARKS)


def _quotes(text: str, delimiter: str | None) -> list[str | None]:
    """The quote characters that stand at the edge of a field."""
    found: list[str | None] = [quote for quote in ('"', "'", "`") if _opens_field(text, delimiter, quote)]
    if '"' in found:
        return [*found, None]
    return ['"', *found]


def _opens_field(text: str, delimiter: str | None, quote: str) -> bool:
    """Whether the quote stands at the start of a field, or behind spaces there."""
    if quote not in text:
        return False
    if text.startswith(quote) or f"\n{quote}" in text or f"\r{quote}" in text:
        return True
    if delimiter and delimiter + quote in text:
        return True
    if f" {quote}" not in text and f"\t{quote}" not in text:
        return False
    edge = re.escape(delimiter) if delimiter else r"(?!)"
    return re.search(rf"(?:^|[\r\n]|{edge})[ \t]*{quote}", text) is not None


def _escapes(text: str, delimiter: str | None, quote: str | None) -> list[str | None]:
    if "\\" not in text:
        return [None]
    if (quote and "\\" + quote in text) or (delimiter and "\\" + delimiter in text):
        return [None, "\\"]
    return [None]


def _leads(text: str, delimiter: str | None, quote: str | None) -> bool:
    if not delimiter or not quote or not (near := _around_blanks(text, quote)):
        return False
    return re.search(f"{re.escape(delimiter)}[ \t]+{re.escape(quote)}", near) is not None


@lru_cache(maxsize=4)
def _around_blanks(text: str, quote: str) -> str:
    """The lines in which a quote stands behind a blank; they are the same for all delimiters."""
    spaced, tabbed = f" {quote}", f"\t{quote}"
    if spaced not in text and tabbed not in text:
        return ""
    return "\n".join([line for line in text.split("\n") if spaced in line or tabbed in line])


def _is_eligible(guess: Guess, rated: list[Guess], text: str) -> bool:
    """A delimiter with spaces counts only where it never stands without them, no quotes only after much damage.

    Neither does a usual delimiter with the mark that most cells begin or end with.
    """
    delimiter = guess.dialect.delimiter
    if guess.dialect.quote is None:
        quoted = [g.damaged for g in rated if g.dialect.delimiter == delimiter and g.dialect.quote == '"']
        if quoted and min(quoted) < _FEW_STRAYS:
            return False
    if delimiter is None:
        return True
    if delimiter not in _SPACED:
        return len(delimiter) == 1 or not any(_reads_as_much(g, guess, text) for g in rated)
    bare = [g for g in rated if g.dialect.delimiter == delimiter.strip() and g.dialect.quote == guess.dialect.quote]
    return not any(
        g.share > guess.share or g.arity > guess.arity or (guess.titles and g.takes_all(guess))
        for g in bare
        if g.share > 0.5
    )


def _reads_as_much(bare: Guess, run: Guess, text: str) -> bool:
    """Whether one mark of a run of several makes the same table and also stands alone, as in the header."""
    mark, several = bare.dialect.delimiter, run.dialect.delimiter
    if mark not in _USUAL or several is None or mark not in several:
        return False
    if set(several) == {mark}:  # doubled where fields are empty
        single = re.escape(mark)
        if len(re.findall(f"(?<!{single}){single}(?!{single})", text)) >= text.count("\n"):
            return True
    return bare.arity == run.arity and bare.share >= run.share and text.count(mark) > text.count(several)
