"""Sides measured in turn, so that what else the machine does meets all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from benchmarks.process import MB, Measured
from benchmarks.shape import Bench, Figure

T = TypeVar("T")


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Side(Generic[T]):
    """One of those that are compared."""

    run: Callable[[], T]
    before: Callable[[], None] = _nothing
    """What must be so before each run; it is not measured."""


def in_turn(bench: Bench, sides: Mapping[str, Side[T]]) -> dict[str, list[T]]:
    """What each side measured, in the order of the rounds.

    Every other round goes through the sides backwards.
    """
    found: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(1 - bench.warms_up, bench.rounds + 1):
        for name in sides if number % 2 == 0 else reversed(sides):
            sides[name].before()
            measured = sides[name].run()
            if number > 0:
                found[name].append(measured)
    return found


def rate(amount: float, runs: list[Measured]) -> Figure:
    """So much a second, in every run."""
    return Figure([amount / each.seconds for each in runs])


def peak(runs: list[Measured]) -> Figure:
    """The memory of every run."""
    return Figure([each.peak_bytes / MB for each in runs])
