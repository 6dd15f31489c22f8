"""One read and one change over the Unix socket, and what is said when they cannot be done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api_service import Api, running_api


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("api")) as running:
        yield running


def test_a_home_can_be_read(api: Api) -> None:
    said = api.get("/v1/status")
    assert said.status == 200
    assert said.json["home"] == str(api.home.path)
    assert api.ask("POST", "/v1/status", {}).json["jobs"] == said.json["jobs"]


def test_a_change_is_made_once_for_its_key(api: Api) -> None:
    rule = {"pattern": "*.once", "tag": "once"}
    first = api.change("/v1/rules/add", rule, "key-1")
    again = api.change("/v1/rules/add", rule, "key-1")
    assert first.status == again.status == 200
    assert first.body == again.body
    assert again.headers["Idempotency-Replayed"] == "true"
    patterns = [rule["pattern"] for rule in api.get("/v1/rules/list").json["rules"]]
    assert patterns.count("*.once") == 1


def test_an_error_says_what_where_why_and_what_to_do(api: Api) -> None:
    said = api.get("/v1/jobs/show?job=12345")
    assert said.status == 404
    assert said.headers["content-type"] == "application/problem+json"
    assert said.json["code"] == "not-found"
    assert said.json["type"] == "urn:casparian:error:not-found"
    assert said.json["fix"] == "casparian jobs"


def test_a_field_that_does_not_fit_is_named(api: Api) -> None:
    said = api.ask("POST", "/v1/jobs/list", {"limit": "many"})
    assert (said.status, said.json["where"]) == (422, "limit")
    said = api.ask("POST", "/v1/run", {"selection": {"paths": [1]}}, headers={"Idempotency-Key": "x"})
    assert (said.status, said.json["where"]) == (422, "selection.paths[0]")
    assert api.ask("POST", "/v1/jobs/list", {"limits": 3}).status == 422
