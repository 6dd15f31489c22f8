"""What was measured, as one table for people or as JSON for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.machine import IDLE_LOAD, Machine
from benchmarks.shape import Benchmark, Figure, Row

SCHEMA = "casparian.benchmarks/2"
QUICK = (
    "Small inputs (--quick): most of a run is its start, 1 s of ours beside 0.1 s of DuckDB's and 2 s of dlt's,"
    " so the ratios say less of speed than of starting. The bars are meant for full inputs on two idle cores:"
    " a speed that misses its bar here is not judged (small)."
)
COLUMNS = ("benchmark", "what", "bar", "ours", "min-max", "peer", "its figure", "ratio", "pass")
_WORDS = {True: "yes", False: "no", None: "-"}
_NOT_JUDGED = "small"
_NO_PEER = "no peer"


@dataclass
class Outcome:
    """What became of one benchmark."""

    benchmark: Benchmark
    rows: list[Row] = field(default_factory=list)
    failure: str = ""


@dataclass
class Report:
    """Everything that one call of the command found."""

    machine: Machine
    is_quick: bool
    rounds: int
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def has_failed(self) -> bool:
        """Whether a benchmark could not run."""
        return any(each.failure for each in self.outcomes)

    @property
    def has_missed(self) -> bool:
        """Whether a bar was missed."""
        return any(self._judge(row) is False for each in self.outcomes for row in each.rows)

    def _judge(self, row: Row) -> bool | None:
        """Whether the bar is met; None where there is none, or where inputs are too small to tell that it is not."""
        is_too_small = self.is_quick and row.unit.more_is_better and not row.passes
        return None if is_too_small else row.passes

    def _word(self, row: Row) -> str:
        if row.peer is None:
            return _NO_PEER
        verdict = self._judge(row)
        return _NOT_JUDGED if verdict is None and row.bar is not None else _WORDS[verdict]

    def json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "schema": SCHEMA,
            "quick": self.is_quick,
            "rounds": self.rounds,
            "seconds": round(self.seconds, 1),
            "machine": asdict(self.machine) | {"is_idle": self.machine.is_idle},
            "benchmarks": [
                {
                    "name": each.benchmark.name,
                    "footing": each.benchmark.footing,
                    "failure": each.failure or None,
                    "rows": [_row(row, self._judge(row)) for row in each.rows],
                }
                for each in self.outcomes
            ],
        }

    def text(self) -> Iterator[str]:
        """The report for people, line by line."""
        here = self.machine
        yield f"{here.cores} cores ({here.processor}), load {here.load_before} before, Python {here.python}"
        if not here.is_idle:
            yield f"The machine was busy (load above {IDLE_LOAD}): read the ratios, not the figures."
        if self.is_quick:
            yield QUICK
        rounds = (
            "One round"
            if self.rounds == 1
            else f"Medians of {self.rounds} rounds after one that does not count (some: one)"
        )
        yield f"{rounds}; sides run in turn; a ratio above 1 is better than the peer."
        yield ""
        yield from _table([COLUMNS, *self._cells()])
        yield ""
        for each in self.outcomes:
            yield f"{each.benchmark.name}: {each.benchmark.footing}"
            yield from (f"  without {row.peer_name}: {row.why}" for row in each.rows if row.peer is None)
            if each.failure:
                yield f"  could not run: {each.failure}"
        yield f"{self.seconds:.0f} s in all"

    def _cells(self) -> Iterator[Sequence[str]]:
        for each in self.outcomes:
            for row in each.rows:
                yield (
                    each.benchmark.name,
                    row.what,
                    row.bar_text or "-",
                    f"{_number(row.ours.median)} {row.unit.name}",
                    f"{_number(min(row.ours.values))}-{_number(max(row.ours.values))}",
                    row.peer_name,
                    "-" if row.peer is None else f"{_number(row.peer.median)} {row.unit.name}",
                    "-" if row.ratio is None else f"{row.ratio:.2f}",
                    self._word(row),
                )


def _row(row: Row, passes: bool | None) -> dict[str, Any]:
    return {
        "what": row.what,
        "unit": row.unit.name,
        "more_is_better": row.unit.more_is_better,
        "bar": row.bar_text or None,
        "promise": row.bar.name if row.bar else None,
        "ours": _figure(row.ours),
        "peer": {"name": row.peer_name, **(_figure(row.peer) if row.peer else {"why": row.why})},
        "ratio": None if row.ratio is None else round(row.ratio, 4),
        "pass": passes,
    }


def _figure(figure: Figure) -> dict[str, Any]:
    values = [round(value, 4) for value in figure.values]
    return {"median": round(figure.median, 4), "min": min(values), "max": max(values), "values": values}


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
