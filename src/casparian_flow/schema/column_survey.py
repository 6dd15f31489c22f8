"""What all rows of an output say about one column."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from casparian_flow.schema.eliminate import Elimination


class ColumnSurvey(msgspec.Struct):
    """What is known of one column.

    `places` is the sum of its position over all rows of the batches that have it, `rows` their number, `first` its
    smallest position. `fixed` are types that the parser set, `native` Arrow types of values that came typed; both
    count rows. `rounded` counts whole numbers that no float holds for sure.
    """

    first: int
    rows: int = 0
    places: int = 0
    original: str | None = None
    fixed: dict[str, int] = {}
    native: dict[str, int] = {}
    rounded: int = 0
    plain: Elimination = msgspec.field(default_factory=Elimination)
    tagged: Elimination = msgspec.field(default_factory=lambda: Elimination(tagged=True))

    def merge(self, other: ColumnSurvey) -> ColumnSurvey:
        """The same column over both sets of rows."""
        originals = sorted(filter(None, {self.original, other.original}))
        return ColumnSurvey(
            first=min(self.first, other.first),
            rows=self.rows + other.rows,
            places=self.places + other.places,
            original=originals[0] if originals else None,
            fixed=added(self.fixed, other.fixed),
            native=added(self.native, other.native),
            rounded=self.rounded + other.rounded,
            plain=self.plain.merge(other.plain),
            tagged=self.tagged.merge(other.tagged),
        )

    def closed(self, said: str) -> ColumnSurvey:
        """The same column with masks in place of its values."""
        return msgspec.structs.replace(self, plain=self.plain.closed(said), tagged=self.tagged.closed(said))

    def order(self, name: str) -> tuple[Fraction, int, str]:
        """Where the column stands: by its mean position over all rows, then its smallest one, then its name."""
        return Fraction(self.places, self.rows) if self.rows else Fraction(self.first), self.first, name


def added(mine: dict[str, int], theirs: dict[str, int]) -> dict[str, int]:
    """Two counts by name as one."""
    return {key: mine.get(key, 0) + theirs.get(key, 0) for key in sorted({*mine, *theirs})}
