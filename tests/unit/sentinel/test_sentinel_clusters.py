from __future__ import annotations

import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.tables import choose_table
from casparian_flow.sentinel.commit.clusters import Shape, cluster_shapes

NAMED = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True).map(lambda n: Shape(tuple(n)))
NAMELESS = st.integers(1, 6).map(lambda n: Shape(tuple(f"column_{at}" for at in range(1, n + 1)), headerless=True))
FILES = st.dictionaries(NAMED | NAMELESS, st.integers(1, 5), max_size=10)


def as_value(files: dict[Shape, int]) -> list[tuple[str, frozenset[Shape]]]:
    return sorted((cluster.suffix, frozenset(cluster.members)) for cluster in cluster_shapes(files))


@settings(max_examples=300, deadline=None)
@given(FILES, st.randoms(use_true_random=False))
def test_the_order_of_files_never_matters(files: dict[Shape, int], chance: random.Random) -> None:
    items = list(files.items())
    chance.shuffle(items)
    assert as_value(dict(items)) == as_value(files)


@settings(max_examples=500, deadline=None)
@given(FILES, st.booleans())
def test_every_shape_is_sent_to_its_own_table_by_a_later_run(files: dict[Shape, int], bare_is_free: bool) -> None:
    clusters = cluster_shapes(files, bare_is_free=bare_is_free)
    tables = {"fw" + cluster.suffix: (cluster.columns,) for cluster in clusters}
    assert len(tables) == len(clusters)
    assert set(files) == {shape for cluster in clusters for shape in cluster.members}
    for cluster in clusters:
        for shape in cluster.members:
            assert choose_table("fw", shape.columns, tables, headerless=shape.headerless) == "fw" + cluster.suffix


def test_the_shape_of_most_files_gets_the_bare_name_and_the_others_a_suffix() -> None:
    common, rare = Shape(("a", "b")), Shape(("x", "y"))
    bare, other = cluster_shapes({rare: 1, common: 3})
    assert (bare.suffix, bare.members) == ("", {common})
    assert re.fullmatch(r"__[0-9a-f]{6}", other.suffix)
    assert other.members == {rare}


def test_files_without_a_header_join_the_table_of_as_many_columns() -> None:
    [cluster] = cluster_shapes({Shape(("a", "b")): 1, Shape(("column_1", "column_2"), headerless=True): 4})
    assert cluster.columns == {"a", "b"}
    assert not cluster.is_headerless
