"""Front ends read topics and explanations through operations, and learn what opening a home put right."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from casparian_flow.core.errors import NotFound
from casparian_flow.manual import topics
from casparian_flow.operations.doing.home import doctor, explain, manual_pages
from casparian_flow.operations.home.doctor import Recover
from casparian_flow.operations.home.explain import Explain, ListCodes
from casparian_flow.operations.home.manual_pages import ReadTopic
from casparian_flow.operations.local import Local
from casparian_flow.sentinel.recovery import Recovered
from casparian_flow.settings import Home


@pytest.fixture
def place(tmp_path) -> Local:
    return Local(home=Home(tmp_path / "none"), case=None, env={}, overrides={}, cwd=tmp_path, now_ns=0)


def test_a_topic_is_read_as_markdown_without_a_home(place):
    assert manual_pages.show(place, ReadTopic(topic="formats")).text == topics.topic("formats")
    with pytest.raises(NotFound) as caught:
        manual_pages.show(place, ReadTopic(topic="../errors"))
    assert caught.value.fix == "casparian help"


def test_every_listed_code_can_be_explained(place):
    for entry in explain.list_(place, ListCodes()).codes:
        found = explain.explain(place, Explain(code=entry.code))
        assert (found.code, found.kind, found.meaning) == (entry.code, entry.kind, entry.meaning)
        assert (found.exit_code is None) == (found.kind != "error")
        assert (found.action is None) == (found.kind != "reason")


def test_what_opening_the_home_put_right_is_named():
    acting = SimpleNamespace(recovered=Recovered(incarnation=2, rolled_forward=1, swept_files=3))
    assert [each.check for each in doctor.recover(acting, Recover()).mended] == ["database", "staging"]
    assert doctor.recover(SimpleNamespace(recovered=Recovered(incarnation=2)), Recover()).mended == []
