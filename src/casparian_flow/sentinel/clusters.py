"""Which column shapes are one table: clusters that do not depend on the order of files."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from casparian_flow.core.tables import is_same_table, shape_suffix


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of one output in file order; without a header they are `column_1` and so on."""

    columns: tuple[str, ...]
    headerless: bool = False


@dataclass(slots=True)
class Cluster:
    """Shapes that are one table. `columns` is the union of their names; the leader is the most common shape."""

    leader: Shape
    columns: set[str]
    files: int
    members: set[Shape] = field(default_factory=set)
    bare: bool = False

    @property
    def is_headerless(self) -> bool:
        """Whether no file of the cluster has a header."""
        return self.leader.headerless

    def accepts(self, shape: Shape) -> bool:
        """Whether a shape belongs here and every member would still find its way here afterwards."""
        if shape.headerless:
            return len(shape.columns) == len(self.columns) == len(self.leader.columns)
        if self.is_headerless:
            return False
        union = self.columns | set(shape.columns)
        return is_same_table(shape.columns, self.columns, headerless=False) and all(
            is_same_table(member.columns, union, headerless=member.headerless) for member in (*self.members, shape)
        )

    def add(self, shape: Shape, files: int) -> None:
        """Take a shape in; a headerless one takes its names from the leader."""
        self.members.add(shape)
        self.files += files
        if not shape.headerless:
            self.columns |= set(shape.columns)

    def table_name(self, base: str, taken: Container[str]) -> str:
        """The bare name if it is this cluster's and free, else `<base>__<6 hex of its leader's columns>`."""
        return base if self.bare and base not in taken else f"{base}__{shape_suffix(self.leader.columns)}"


def cluster_shapes(files: Mapping[Shape, int]) -> list[Cluster]:
    """The clusters of one base name, given how many files have each shape; the first one has the bare name.

    Shapes are taken from the most common down, ties by digest, those with a header first; each joins the cluster
    with which it shares most columns or founds a new one. The cluster with most files gets the bare name.
    """
    clusters: list[Cluster] = []
    for shape in sorted(files, key=lambda s: (s.headerless, -files[s], shape_suffix(s.columns), s.columns)):
        fitting = [cluster for cluster in clusters if cluster.accepts(shape)]
        if fitting:
            best = max(fitting, key=lambda cluster: len(cluster.columns & set(shape.columns)))
            best.add(shape, files[shape])
        else:
            clusters.append(Cluster(shape, set(shape.columns), files[shape], {shape}))
    clusters.sort(key=lambda cluster: (-cluster.files, shape_suffix(cluster.leader.columns)))
    if clusters:
        clusters[0].bare = True
    return clusters
