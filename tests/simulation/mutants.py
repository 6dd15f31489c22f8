"""Protocols that are known to be wrong; the simulator must find out about each of them."""

from __future__ import annotations

from dataclasses import dataclass

from .world import Build


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong protocol."""

    build: Build


MUTANTS: dict[str, Mutant] = {}
