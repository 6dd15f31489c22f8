"""A peer that knows nothing but the page of the protocol works with a real sentinel; a hostile one changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from casparian_flow import wiring
from casparian_flow.protocol.zmq_router import ZmqRouter
from foreign_peer import ForeignPeer
from product import ask_here

VECTORS = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "protocol-vectors.json").read_bytes())


@pytest.fixture
def run_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ForeignPeer]:
    """`casparian run` over three files, whose sentinel has no worker but a foreign one."""
    monkeypatch.setenv("CASPARIAN_HOME", str(tmp_path / "home"))
    (tmp_path / "data").mkdir()
    for name in "abc":
        (tmp_path / "data" / f"{name}.csv").write_text(f"id,{name}\n1,2\n")

    def run(before: Callable[[ForeignPeer], None] = lambda peer: None) -> ForeignPeer:
        endpoint = f"ipc://{tmp_path}/s"
        peer = ForeignPeer(endpoint, before)
        routers: list[ZmqRouter] = []

        def router() -> ZmqRouter:
            routers.append(ZmqRouter([endpoint]))
            return routers[0]

        def workers(*_: object) -> AbstractContextManager[object]:
            return peer

        monkeypatch.setattr(wiring, "InProcessRouter", router)
        monkeypatch.setattr(wiring, "local_workers", workers)
        try:
            ask_here("run", "data", cwd=tmp_path, expect=[0])
        finally:
            for each in routers:
                each.close()
        return peer

    return run


def states(folder: Path) -> list[tuple[str, int]]:
    listed = json.loads(ask_here("jobs", "--json", "--all", cwd=folder, expect=[0]).out)
    return sorted((job["state"], job["attempt"]) for job in listed["jobs"])


def test_a_worker_written_from_the_page_completes_jobs(run_with: Callable[..., ForeignPeer], tmp_path: Path) -> None:
    peer = run_with()
    assert len(peer.completed) == 3
    assert states(tmp_path) == [("completed", 1)] * 3


@pytest.mark.slow
def test_every_malformed_vector_is_answered_with_its_code_and_harms_nobody(
    run_with: Callable[..., ForeignPeer], tmp_path: Path
) -> None:
    of_workers = [each for each in VECTORS["malformed"] if each["sender"] == "worker"]
    told = []

    def be_hostile(peer: ForeignPeer) -> None:
        for vector in of_workers:
            data = bytes.fromhex(vector["hex"])
            peer.send(data)
            if data[1:2] == b"\x06":  # an ERR is never answered
                told.append((vector["code"], vector["seq"]))
                continue
            answer = peer.hear(20)
            assert answer is not None, vector
            opcode, job, payload = answer
            assert (opcode, job) == (6, vector["job"])
            told.append((payload["body"]["code"], payload["body"]["of"]))

    peer = run_with(be_hostile)
    assert told == [(each["code"], each["seq"]) for each in of_workers]
    assert len(peer.completed) == 3
    assert states(tmp_path) == [("completed", 1)] * 3


@pytest.mark.slow
def test_what_a_stranger_claims_about_jobs_changes_nothing(
    run_with: Callable[..., ForeignPeer], tmp_path: Path
) -> None:
    """Every message of a worker, said before it identified, is answered by RELOAD or not at all."""

    def claim(peer: ForeignPeer) -> None:
        for vector in VECTORS["valid"]:
            if vector["sender"] == "worker" and vector["name"] not in ("identify", "deploy"):
                peer.say(bytes.fromhex(vector["hex"])[1], vector["payload"]["body"], vector["job"])
                answer = peer.hear(0.05)
                assert answer is None or answer[0] == 7

    assert len(run_with(claim).completed) == 3
    assert states(tmp_path) == [("completed", 1)] * 3
