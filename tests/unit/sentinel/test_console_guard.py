"""What the console refuses before it runs anything."""

from __future__ import annotations

import pytest

from casparian_flow.core.errors import QueryRefused
from casparian_flow.sentinel.console.guard import check_query


def test_a_query_that_nests_too_deeply_is_refused() -> None:
    with pytest.raises(QueryRefused, match="nests too deeply"):
        check_query("SELECT " + "+".join(["1"] * 900))
