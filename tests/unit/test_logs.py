"""Log lines are JSON, bound once, and silent unless asked."""

from __future__ import annotations

import io
import json
import logging

import pytest

from casparian_flow.logs import get_log, set_up


@pytest.mark.parametrize(
    ("verbosity", "events"), [(0, ["c"]), (1, ["b", "c"]), (2, ["a", "b", "c"]), (9, ["a", "b", "c"])]
)
def test_verbosity_chooses_what_is_said(verbosity, events):
    stream = io.StringIO()
    set_up(stream, verbosity)
    log = get_log("casparian_flow.test").bind(job=7)
    log.debug("a")
    log.info("b", rows=3)
    log.warning("c", path="\x1b[2J\u202e")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == events
    assert all(line["job"] == 7 and line["at"].endswith("Z") for line in lines)
    assert lines[-1]["path"] == "\x1b[2J\u202e"
    assert stream.getvalue().isascii() and "\x1b" not in stream.getvalue()


def test_binding_does_not_change_the_log_it_came_from():
    stream = io.StringIO()
    set_up(stream, 1)
    log = get_log("casparian_flow.test")
    log.bind(job=1)
    log.error("job.failed", error=ValueError("x"))
    line = json.loads(stream.getvalue())
    assert "job" not in line and line["error"] == "x" and line["level"] == "error"


def test_of_an_exception_only_its_kind_and_its_places_are_said():
    stream = io.StringIO()
    set_up(stream, 1)
    try:
        raise ValueError("".join(("a value", " of a file")))
    except ValueError:
        logging.getLogger("casparian_flow.test").exception("job.failed")
    line = json.loads(stream.getvalue())
    assert "ValueError in test_of_an_exception" in line["error"] and "a value of a file" not in line["error"]
