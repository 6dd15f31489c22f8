"""Options that stand for a parser and a table: set, added to, unset, and refused where no parser has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import HomeBuilder, StoreActing
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.operations.doing.parser.options import set_
from casparian_flow.operations.parser.options import SetOptions
from casparian_flow.store import standing


@pytest.fixture
def acting(past: HomeBuilder) -> StoreActing:
    return StoreActing(past.database, Path("/"), past.home)


def test_options_stand_beside_those_that_stood_until_they_are_unset(acting: StoreActing) -> None:
    ask = {"parser": "delimited", "table": "fw"}
    first = set_(acting, SetOptions(**ask, options={"null": "NA"}, reason="NA is no number"))
    assert (first.options, first.is_changed) == ({"null": "NA"}, True)
    assert set_(acting, SetOptions(**ask, options={"null": "NA"})).is_changed is False
    second = set_(acting, SetOptions(**ask, options={"skip": "1"}))
    assert second.options == {"null": "NA", "skip": "1"}
    assert set_(acting, SetOptions(**ask)).options == second.options
    with acting.database.transaction() as connection:
        assert standing.standing(connection) == {("delimited", "fw"): {"null": "NA", "skip": "1"}}
    assert set_(acting, SetOptions(**ask, unset=("null", "skip"))).options == {}
    with acting.database.transaction() as connection:
        assert standing.standing(connection) == {}


def test_what_no_parser_has_is_refused_and_nothing_stands(acting: StoreActing) -> None:
    with pytest.raises(UsageError, match="has no option nil"):
        set_(acting, SetOptions(parser="delimited", table="fw", options={"nil": "NA"}))
    with pytest.raises(UsageError, match="both set and unset"):
        set_(acting, SetOptions(parser="delimited", table="fw", options={"null": "NA"}, unset=("null",)))
    with pytest.raises(NotFound, match="no parser cvs"):
        set_(acting, SetOptions(parser="cvs", table="fw", options={"null": "NA"}))
    with acting.database.transaction() as connection:
        assert standing.standing(connection) == {}
