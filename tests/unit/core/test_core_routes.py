from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.errors import InvariantBroken, UsageError
from casparian_flow.core.outputs import Role, SealedOutput, SinkMode, SinkTarget
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.core.routes import Routes, routes_of, topics_over

A, B, C = SinkTarget("parquet:///a"), SinkTarget("parquet:///b", SinkMode.REPLACE), SinkTarget("parquet:///c")
ROUTES = Routes(default=(A, B), topics={"x": (C,), "x__abc123": (A,)})


@pytest.mark.parametrize(
    ("table", "targets"),
    [
        ("x", (C,)),
        ("x__t2", (C,)),
        ("x__abc123", (A,)),
        ("x__abc123__t2", (A,)),
        ("x_y", (A, B)),
        ("xx", (A, B)),
        ("y__x", (A, B)),
        ("", (A, B)),
    ],
)
def test_a_table_lands_by_the_longest_topic_that_its_name_begins_with(
    table: str, targets: tuple[SinkTarget, ...]
) -> None:
    assert ROUTES.targets_of(table) == targets


def test_the_mode_of_a_table_is_that_of_the_sink_it_lands_in() -> None:
    assert ROUTES.mode_of("parquet:///b", "y") is SinkMode.REPLACE
    assert ROUTES.mode_of("parquet:///b", "x") is None
    assert ROUTES.sinks == ("parquet:///a", "parquet:///b", "parquet:///c")


def test_a_sink_given_twice_or_never_is_refused() -> None:
    with pytest.raises(UsageError, match="parquet:///a is given twice for the topic t"):
        Routes(default=(A,), topics={"t": (A, B, SinkTarget(A.uri, SinkMode.ERROR))})
    with pytest.raises(UsageError, match="no sink is given"):
        Routes(default=())
    with pytest.raises(UsageError, match="the topic t has no sink"):
        Routes(default=(A,), topics={"t": ()})


def test_the_order_in_which_sinks_and_topics_are_given_does_not_show_in_the_text() -> None:
    other = Routes(default=(B, A), topics={"x__abc123": (A,), "x": (C,)})
    assert other.to_json() == ROUTES.to_json()


TARGETS = st.lists(
    st.builds(SinkTarget, st.sampled_from(["parquet:///ä", 'csv:///"', "duckdb:///c"]), st.sampled_from(SinkMode)),
    min_size=1,
    unique_by=lambda target: target.uri,
).map(lambda targets: tuple(sorted(targets, key=lambda target: target.uri)))


@settings(max_examples=50, deadline=None)
@given(TARGETS, st.dictionaries(st.sampled_from(["a", "a__b", "c"]), TARGETS))
def test_routes_survive_their_text(default: tuple[SinkTarget, ...], topics: dict[str, tuple[SinkTarget, ...]]) -> None:
    routes = Routes(default=default, topics=topics)
    assert routes_of(routes.to_json()) == routes


@given(st.text(alphabet="ab_", max_size=12))
def test_the_topics_over_a_table_are_prefixes_of_it_that_get_shorter(table: str) -> None:
    found = list(topics_over(table))
    assert found[:1] == ([table] if table else [])
    assert all(table.startswith(f"{topic}__") for topic in found[1:])
    assert [len(topic) for topic in found] == sorted({len(topic) for topic in found}, reverse=True)


def a_receipt(**rows: int) -> Receipt:
    """Three accepted rows and a quarantined one of the table t, sealed in sinks by name: accepted, then quarantined."""
    return Receipt(
        counts=(OutputCounts(table="t", emitted=4, accepted=3, quarantined=1),),
        outputs=tuple(
            SealedOutput(
                sink=f"parquet:///{name[0]}",
                table="t",
                role=Role.ACCEPTED if name.endswith("accepted") else Role.QUARANTINE,
                contract_version=1,
                schema_hash="",
                rows=count,
                row_digest="",
                files=(),
            )
            for name, count in rows.items()
        ),
        isolation="process",
        seconds=1.0,
        bytes_read=1,
    )


def test_rows_add_up_when_every_sink_has_all_of_them() -> None:
    a_receipt(a_accepted=3, a_quarantine=1, b_accepted=3, b_quarantine=1).check_conservation(ROUTES)


@pytest.mark.parametrize(
    "rows",
    [
        {"a_accepted": 3, "a_quarantine": 1},
        {"a_accepted": 3, "a_quarantine": 1, "b_accepted": 3},
        {"a_accepted": 3, "a_quarantine": 1, "b_accepted": 2, "b_quarantine": 1},
        {"a_accepted": 3, "a_quarantine": 1, "b_accepted": 3, "b_quarantine": 1, "c_accepted": 3},
    ],
    ids=["a sink has none", "a sink lacks the quarantine", "a sink lacks a row", "a sink that is no target has some"],
)
def test_rows_do_not_add_up_when(rows: dict[str, int]) -> None:
    with pytest.raises(InvariantBroken, match="rows of t do not add up"):
        a_receipt(**rows).check_conservation(ROUTES)
