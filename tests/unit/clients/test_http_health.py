"""What watches a service learns whether it lives, whether it works, and how much; and logs tell no secrets."""

from __future__ import annotations

import json
import logging
import re
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from api_service import Api, running_api
from casparian_flow.clients.http.health import Vitals
from casparian_flow.clients.http.metrics import Family, Metrics
from casparian_flow.clients.http.problems import status_of
from casparian_flow.core.errors import CasparianError, every_error
from casparian_flow.store.database import Database

LINE = re.compile(r'^[a-z_]+(\{([a-z_]+="[^"]*",?)*\})? -?[0-9.e+-]+$')


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("api")) as running:
        yield running


def test_a_service_that_works_says_so_without_asking_who_asks(api: Api) -> None:
    for path in ("/health", "/health/ready"):
        said = api.get(path, tcp=True)
        assert (said.status, said.json["is_ok"]) == (200, True)
        assert said.json["checks"] == {"loop": True, "database": True, "disk": True, "workers": True}
    assert api.get("/health/live", tcp=True).json == {"is_ok": True, "checks": {"loop": True}}


def test_a_service_that_cannot_work_says_what_is_missing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.service, "vitals", lambda: Vitals(silent_seconds=60.0, workers=0))
    said = api.get("/health")
    assert (said.status, said.json["is_ok"]) == (503, False)
    assert [name for name, passed in said.json["checks"].items() if not passed] == ["loop", "workers"]
    assert api.get("/health/live").status == 503
    full = namedtuple("Usage", "total used free")(1, 1, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    broken = DatabaseError("BEGIN", {}, Exception("disk I/O error"))
    monkeypatch.setattr(Database, "undone", lambda _database: (_ for _ in ()).throw(broken))
    assert api.get("/health").json["checks"] == dict.fromkeys(("loop", "database", "disk", "workers"), False)


def test_metrics_are_in_the_format_of_prometheus(api: Api) -> None:
    api.get("/v1/status")
    api.get("/v1/nothing")
    api.service.metrics.happened("job.completed")
    said = api.get("/metrics")
    assert said.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = said.body.decode().splitlines()
    kinds = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    helped = {line.split()[2] for line in lines if line.startswith("# HELP")}
    assert kinds.keys() == helped
    for line in lines:
        assert line.startswith("# ") or LINE.match(line), line
        if not line.startswith("#"):
            name = re.split(r"[{ ]", line)[0]
            assert name in kinds or name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") in kinds
            assert name.startswith("casparian_")
            if kinds.get(name) == "counter":
                assert name.endswith("_total")
    text = said.body.decode()
    assert 'casparian_jobs{state="queued"} 0' in text
    assert 'casparian_events_total{event="job.completed"} 1' in text
    assert 'casparian_api_requests_total{operation="status",status="200"}' in text
    assert 'casparian_api_requests_total{operation="none",status="404"}' in text
    counts = [
        int(line.split()[-1])
        for line in lines
        if line.startswith('casparian_api_request_duration_seconds_bucket{operation="status"')
    ]
    assert counts == sorted(counts)
    assert counts[-1] >= 1


def test_a_label_cannot_break_out_of_its_line() -> None:
    family = Family("casparian_x", "gauge", "X.", {(("name", 'a"b\\c\nd'),): 1.5})
    assert 'casparian_x{name="a\\"b\\\\c\\nd"} 1.5' in Metrics().render([family]).splitlines()


def answered(caplog: pytest.LogCaptureFixture, count: int) -> list[dict[str, Any]]:
    """What so many log lines say of requests; a line is written after its answer was sent."""
    for _ in range(2000):
        if sum(record.getMessage() == "request.answered" for record in caplog.records) >= count:
            break
        threading.Event().wait(0.005)
    return [record.values for record in caplog.records if record.getMessage() == "request.answered"]


def test_each_request_is_one_log_line_without_secrets(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api.get("/v1/jobs/list")
    answered(caplog, 1)  # and so the lines of what earlier tests asked for, too
    caplog.clear()
    secret = api.change("/v1/token/add", {"name": "logged", "scopes": ["read"]}, "logged-key").json["secret"]
    given = {"Authorization": f"Bearer {secret}"}
    api.get("/v1/jobs/list?parser=secret-parser", tcp=True, headers=given)
    api.get(f"/v1/jobs/list?access_token={secret}", tcp=True)
    lines = answered(caplog, 3)
    by_operation = {line["operation"]: line for line in lines}  # those of two connections may change places
    assert (len(lines), sorted(by_operation)) == (3, ["jobs.list", "none", "token.add"])
    listed = by_operation["jobs.list"]
    assert (listed["asker"], listed["transport"], listed["status"]) == ("logged", "tcp", 200)
    told = json.dumps([getattr(record, "values", {}) for record in caplog.records], default=str) + caplog.text
    for hidden in (secret, "secret-parser", "logged-key"):
        assert hidden not in told


def test_every_error_has_a_status() -> None:
    for kind in every_error():
        assert status_of(kind("x")) in (404, 401, 403, 409, 412, 422, 500, 503), kind
    assert status_of(CasparianError("x")) == 500
