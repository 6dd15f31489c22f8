"""Which column shapes are one table: clusters that do not depend on the order of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from casparian_flow.core.tables import choose_table, is_same_table, shape_suffix

_BASE = "t"
"""Stands for the base name where only the order of the names matters."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of one output in file order; without a header they are `column_1` and so on."""

    columns: tuple[str, ...]
    headerless: bool = False


@dataclass(slots=True)
class Cluster:
    """Shapes that are one table. `columns` is the union of their names; the leader is the most common shape."""

    leader: Shape
    files: int
    members: set[Shape] = field(default_factory=set)
    suffix: str = ""
    """What follows the base name in the table's: nothing, or `__` and six hex digits."""

    @property
    def is_headerless(self) -> bool:
        """Whether no file of the cluster has a header."""
        return self.leader.headerless

    @property
    def columns(self) -> set[str]:
        """The columns that the table will have; members without a header take theirs from the others."""
        named = [member for member in self.members if member.headerless == self.is_headerless]
        return {column for member in named for column in member.columns}

    def accepts(self, shape: Shape) -> bool:
        """Whether a shape belongs here and every member would still find its way here afterwards."""
        if shape.headerless:
            return len(shape.columns) == len(self.columns)
        if self.is_headerless:
            return False
        union = self.columns | set(shape.columns)
        return is_same_table(shape.columns, self.columns, headerless=False) and all(
            is_same_table(member.columns, union, headerless=member.headerless) for member in (*self.members, shape)
        )


def cluster_shapes(files: Mapping[Shape, int], *, bare_is_free: bool = True) -> list[Cluster]:
    """The clusters of one base name, given how many files have each shape.

    Shapes are taken from the most common down, ties by digest, those with a header first; each joins the cluster
    with which it shares most columns or founds a new one. The cluster with most files gets the bare name if that is
    free. `choose_table` sends each shape to the same table once these tables have their contracts.
    """
    clusters = _gather(files)
    clusters.sort(key=lambda cluster: (-cluster.files, shape_suffix(cluster.leader.columns)))
    for at, cluster in enumerate(clusters):
        cluster.suffix = "" if at == 0 and bare_is_free else f"__{shape_suffix(cluster.leader.columns)}"
    while _move_one(clusters):
        pass
    return [cluster for cluster in clusters if cluster.members]


def _gather(files: Mapping[Shape, int]) -> list[Cluster]:
    clusters: list[Cluster] = []
    for shape in sorted(files, key=lambda s: (s.headerless, -files[s], shape_suffix(s.columns), s.columns)):
        fitting = [cluster for cluster in clusters if cluster.accepts(shape)]
        if fitting:
            best = max(fitting, key=lambda cluster: len(cluster.columns & set(shape.columns)))
            best.members.add(shape)
            best.files += files[shape]
        else:
            clusters.append(Cluster(shape, files[shape], {shape}))
    return clusters


def _move_one(clusters: list[Cluster]) -> bool:
    """Move one shape that a later run would send elsewhere; whether there was one.

    A shape with a header lies whole in its own cluster, so it can only move between clusters that both hold all of
    its columns, and only towards the name that `choose_table` prefers: the moves come to an end.
    """
    known = {_BASE + cluster.suffix: (cluster.columns,) for cluster in clusters if cluster.members}
    for cluster in clusters:
        for shape in _in_order(cluster.members):
            chosen = choose_table(_BASE, shape.columns, known, headerless=shape.headerless)
            if chosen == _BASE + cluster.suffix:
                continue
            cluster.members.remove(shape)
            if chosen is None:  # its columns have no header, and the others have come to be more or fewer
                clusters.append(Cluster(shape, 0, {shape}, f"__{shape_suffix(shape.columns)}"))
            else:
                next(each for each in clusters if _BASE + each.suffix == chosen).members.add(shape)
            return True
    return False


def _in_order(shapes: set[Shape]) -> Sequence[Shape]:
    return sorted(shapes, key=lambda shape: (shape.headerless, shape.columns))
