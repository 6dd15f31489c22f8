from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.artifacts import ParserArtifact, ParserOrigin, ParserStatus
from casparian_flow.core.drift import frozen_at
from casparian_flow.core.ids import ArtifactHash, EnvHash
from casparian_flow.core.keys import config_hash
from casparian_flow.core.outputs import SinkMode, SinkTarget
from casparian_flow.core.routes import Routes
from casparian_flow.sentinel.commit.landed import EVERY_OTHER, Done
from casparian_flow.sentinel.planning.planner import Decision, Ended, Open, PlannedFile, World, make_plan
from casparian_flow.sentinel.planning.routing import Candidate, Routing

ARTIFACT = ParserArtifact(
    name="csv",
    version="1",
    artifact_hash=ArtifactHash("a1"),
    env_hash=EnvHash("e1"),
    path="/p",
    origin=ParserOrigin.SHIPPED,
    status=ParserStatus.ACTIVE,
)
PARSER = Candidate(id=1, artifact=ARTIFACT, content=("delimited",), tables="file")
CONFIG = config_hash({}, None)


def a_file(display: str = "fw.csv", **changes: Any) -> PlannedFile:
    base = PlannedFile(
        location=1,
        display=display,
        kind="file",
        problem=None,
        size=1,
        mtime_ns=0,
        is_missing=False,
        part_of=None,
        version=10,
        source_hash="h1",
        content="delimited",
        content_reason="two fields",
    )
    return replace(base, **changes)


def a_done(**changes: Any) -> Done:
    base = Done(
        source_hash="h1",
        parser="csv",
        artifact_hash="a1",
        env_hash="e1",
        config_hash=CONFIG,
        sink_uri="s",
        sink_mode="append",
        table="fw",
        contract_hash="c1",
        is_current=True,
        job=100,
        version=10,
    )
    return replace(base, **changes)


def an_end(code: str, **changes: Any) -> Ended:
    base = Ended(
        job=200,
        source_hash="h1",
        parser="csv",
        artifact_hash="a1",
        env_hash="e1",
        config_hash=CONFIG,
        state="failed",
        code=code,
        message="fw",
    )
    return replace(base, **changes)


def a_world(*, done: tuple[Done, ...] = (), ended: tuple[Ended, ...] = (), **changes: Any) -> World:
    base = World(
        routing=Routing(parsers={"csv": PARSER}),
        done={h: [d for d in done if d.source_hash == h] for h in {d.source_hash for d in done}},
        ended={h: [e for e in ended if e.source_hash == h] for h in {e.source_hash for e in ended}},
        earlier={},
        contracts={"fw": "c1"},
        modes={EVERY_OTHER: "m1"},
        awaiting=frozenset(),
        routes=Routes(default=(SinkTarget("s"),)),
    )
    return replace(base, **changes)


def decide(world: World, *files: PlannedFile) -> Decision:
    return make_plan(files or (a_file(),), world).decisions[-1]


INACTIVE = Candidate(id=1, artifact=replace(ARTIFACT, status=ParserStatus.PENDING), subscriptions=("t",))
CRASH = an_end("parser-crashed")
FROZEN = an_end("contract-frozen", message=f"fw@{frozen_at('c1', 'm1')} is frozen: 'zone' is no column of it")
AN_OPEN_JOB = Open(
    job=300,
    parser="csv",
    artifact_hash="a1",
    env_hash="e1",
    config_hash=CONFIG,
    routes=Routes(default=(SinkTarget("s"),)).to_json(),
)


@pytest.mark.invariant(1)
@pytest.mark.parametrize(
    ("reason", "world", "file"),
    [
        ("new", a_world(), a_file()),
        ("new", a_world(ended=(an_end("interrupted", state="aborted"),)), a_file()),
        ("bytes_changed", a_world(done=(a_done(source_hash="h0"),), earlier={1: frozenset({"h0"})}), a_file()),
        ("bytes_changed", a_world(ended=(an_end("x", source_hash="h0"),), earlier={1: frozenset({"h0"})}), a_file()),
        ("parser_changed", a_world(done=(a_done(artifact_hash="a0"),)), a_file()),
        ("parser_changed", a_world(done=(a_done(parser="other"),)), a_file()),
        ("parser_changed", a_world(ended=(replace(CRASH, artifact_hash="a0"),)), a_file()),
        ("env_changed", a_world(done=(a_done(env_hash="e0"),)), a_file()),
        ("env_changed", a_world(ended=(replace(CRASH, env_hash="e0"),)), a_file()),
        ("config_changed", a_world(done=(a_done(config_hash="0"),)), a_file()),
        ("config_changed", a_world(ended=(replace(CRASH, config_hash="0"),)), a_file()),
        ("config_changed", a_world(done=(a_done(modes="m1"),), modes={EVERY_OTHER: "m1", "fw": "m2"}), a_file()),
        ("contract_changed", a_world(done=(a_done(),), contracts={"fw": "c2"}), a_file()),
        ("contract_changed", a_world(ended=(FROZEN,), contracts={"fw": "c2"}), a_file()),
        ("contract_changed", a_world(ended=(FROZEN,), modes={EVERY_OTHER: "m2"}), a_file()),
        ("contract_changed", a_world(ended=(an_end("awaiting-approval", state="rejected"),)), a_file()),
        ("target_changed", a_world(done=(a_done(sink_uri="elsewhere"),)), a_file()),
        ("target_changed", a_world(done=(a_done(sink_mode="replace"),)), a_file()),
        ("previous_failed", a_world(ended=(CRASH,)), a_file()),
        ("previous_failed", a_world(ended=(an_end("parser-transient"),) * 5), a_file()),
        ("forced", a_world(done=(a_done(),), force=True), a_file()),
        ("up_to_date", a_world(done=(a_done(),)), a_file()),
        ("up_to_date", a_world(done=(a_done(),), modes={EVERY_OTHER: "m2"}), a_file()),
        ("up_to_date", a_world(done=(a_done(modes="m1"),)), a_file()),
        ("held_by_policy", a_world(ended=(FROZEN,)), a_file()),
        ("same_bytes", a_world(done=(a_done(version=9),)), a_file()),
        ("proven_equivalent", a_world(done=(a_done(proof="backtest B-1"),)), a_file()),
        ("config_changed", a_world(done=(a_done(proof="backtest B-1", config_hash="0"),)), a_file()),
        ("in_progress", a_world(open={"h1": (AN_OPEN_JOB,)}), a_file()),
        ("in_progress", a_world(open={"h1": (AN_OPEN_JOB,)}, force=True), a_file()),
        ("new", a_world(open={"h1": (replace(AN_OPEN_JOB, routes="others"),)}), a_file()),
        ("parser_inactive", a_world(paused=frozenset({PARSER.id})), a_file()),
        ("gave_up", a_world(ended=(an_end("gave-up"),)), a_file()),
        ("not_selected", a_world(), a_file(is_selected=False)),
        ("not_selected", a_world(), a_file(part_of="x.db")),
        ("not_selected", a_world(), a_file(kind="fifo", version=None)),
        ("source_missing", a_world(), a_file(is_missing=True)),
        ("no_parser", a_world(), a_file(content="binary")),
        ("no_parser", a_world(), a_file(content="empty")),
        ("parser_inactive", a_world(routing=Routing(parsers={"csv": INACTIVE})), a_file(tags=("t",))),
        ("held_by_policy", a_world(ended=(an_end("over-tolerance"),)), a_file()),
        ("hold_lifted", a_world(ended=(an_end("over-tolerance"),), lifted={200: "tolerated now"}), a_file()),
        ("hold_lifted", a_world(ended=(an_end("quarantine-full"),), lifted={200: "there is room"}), a_file()),
        ("hold_lifted", a_world(ended=(an_end("tolerance-failed"),), lifted={200: "tolerated now"}), a_file()),
        ("held_by_policy", a_world(ended=(an_end("over-tolerance"),), lifted={199: "another job"}), a_file()),
        ("held_by_policy", a_world(done=(a_done(contract_hash="c0"),), trimmed={"h1": "X-11"}), a_file()),
        ("up_to_date", a_world(done=(a_done(),), trimmed={"h1": "X-11"}), a_file()),
        ("forced", a_world(done=(a_done(),), trimmed={"h1": "X-11"}, force=True), a_file()),
        ("gave_up", a_world(ended=(CRASH, CRASH)), a_file()),
        ("gave_up", a_world(ended=(CRASH, CRASH, an_end("interrupted", state="aborted"))), a_file()),
        ("gave_up", a_world(ended=(an_end("parser-refused"),)), a_file()),
        ("gave_up", a_world(done=(a_done(artifact_hash="a0"),), ended=(CRASH, CRASH)), a_file()),
        ("cancelled", a_world(ended=(an_end("cancelled", state="aborted"),)), a_file()),
        (
            "awaiting_approval",
            a_world(ended=(an_end("awaiting-approval", state="rejected"),), awaiting=frozenset({"fw"})),
            a_file(),
        ),
    ],
)
def test_the_reason_of_a_file(reason: str, world: World, file: PlannedFile) -> None:
    decision = decide(world, file)
    assert decision.reason == reason
    assert decision.detail


def test_a_failure_before_the_last_success_does_not_count() -> None:
    old = (replace(CRASH, job=50), replace(CRASH, job=51))
    assert decide(a_world(done=(a_done(),), ended=old, contracts={"fw": "c2"})).reason == "contract_changed"


def test_what_another_sink_has_of_the_new_parser_says_nothing_about_this_one() -> None:
    done = (a_done(artifact_hash="a0"), a_done(sink_uri="elsewhere", job=101))
    assert decide(a_world(done=done)).reason == "parser_changed"


A, B = SinkTarget("s"), SinkTarget("b", SinkMode.REPLACE)
IN_A, IN_B = a_done(), a_done(sink_uri="b", sink_mode="replace")


def routed(*default: SinkTarget, **topics: SinkTarget) -> Routes:
    return Routes(default=default, topics={topic: (target,) for topic, target in topics.items()})


@pytest.mark.invariant(1)
@pytest.mark.parametrize(
    ("reason", "detail", "routes", "done"),
    [
        ("up_to_date", "job 100", routed(A, B), (IN_A, IN_B)),
        ("up_to_date", "job 101", routed(A, B), (IN_A, replace(IN_B, job=101))),
        ("up_to_date", "job 100", routed(B), (IN_A, IN_B)),
        ("up_to_date", "job 100", routed(A, other=B), (IN_A,)),
        ("target_changed", "fw is not in b in mode replace", routed(A, B), (IN_A,)),
        ("target_changed", "fw is not in b in mode replace", routed(A, fw=B), (IN_A,)),
        ("target_changed", "fw is not in b in mode replace", routed(A, B), (IN_A, a_done(sink_uri="b"))),
        (
            "target_changed",
            "fw__t2 is not in b in mode replace",
            routed(A, fw__t2=B),
            (IN_A, a_done(table="fw__t2")),
        ),
        (
            "target_changed",
            "fw__t2 is not in s in mode append",
            routed(A),
            (IN_A, a_done(table="fw__t2", is_current=False)),
        ),
        ("parser_changed", "csv changed since job 50", routed(A, B), (replace(IN_B, job=50, artifact_hash="a0"), IN_A)),
        ("env_changed", "", routed(A, B), (replace(IN_B, job=50, env_hash="e0"), IN_A)),
        ("config_changed", "", routed(A, B), (replace(IN_B, job=50, config_hash="c0"), IN_A)),
        ("contract_changed", "", routed(A, B), (replace(IN_B, job=50, contract_hash="c0"), IN_A)),
    ],
)
def test_a_file_is_up_to_date_when_every_target_of_its_tables_has_them(
    reason: str, detail: str, routes: Routes, done: tuple[Done, ...]
) -> None:
    contracts = {"fw": "c1", "fw__t2": "c1"}
    decision = decide(a_world(done=done, routes=routes, contracts=contracts))
    assert decision.reason == reason
    assert detail in decision.detail


def test_a_parser_that_failed_is_given_up_whatever_the_sink_but_a_sink_that_failed_is_tried_again() -> None:
    assert decide(a_world(ended=(CRASH, CRASH), routes=routed(B))).reason == "gave_up"
    refused = an_end("sink-unavailable")
    assert decide(a_world(ended=(refused,) * 5, routes=routed(B))).reason == "previous_failed"


def test_a_plan_for_other_sinks_has_another_fingerprint() -> None:
    plans = [make_plan([a_file()], a_world(routes=routes)) for routes in (routed(A), routed(A, B), routed(A, x=B))]
    assert len({plan.fingerprint for plan in plans}) == 3


def test_of_two_new_files_with_the_same_bytes_the_first_by_path_runs() -> None:
    plan = make_plan([a_file("b.csv", location=2), a_file("a.csv")], a_world())
    assert [(d.file.display, d.reason) for d in plan.decisions] == [("a.csv", "new"), ("b.csv", "same_bytes")]


FILES = st.lists(
    st.builds(
        a_file,
        display=st.sampled_from(["a.csv", "b.csv", "c/d.csv"]),
        location=st.integers(1, 50),
        source_hash=st.sampled_from(["h1", "h2"]),
        content=st.sampled_from(["delimited", "binary", "empty"]),
        is_missing=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda file: file.location,
)


@settings(max_examples=100, deadline=None)
@given(FILES, st.randoms(use_true_random=False))
def test_a_plan_does_not_depend_on_the_order_of_files(files: list[PlannedFile], chance: random.Random) -> None:
    world = a_world(done=(a_done(source_hash="h2"),))
    shuffled = chance.sample(files, len(files))
    assert make_plan(shuffled, world) == make_plan(files, world)
    assert make_plan(shuffled, world).fingerprint == make_plan(files, world).fingerprint


def test_standing_options_are_those_of_a_file_unless_the_run_says_others() -> None:
    standing = {("csv", "fw"): {"null": "NA", "skip": "1"}}
    decided = decide(a_world(standing=standing, options={"skip": "2"}))
    assert decided.options == {"null": "NA", "skip": "2"}
    assert decided.config_hash == config_hash({"null": "NA", "skip": "2"}, None)
    other = decide(a_world(standing=standing), a_file("dns.csv"))
    assert (other.options, other.config_hash) == ({}, CONFIG)


def test_a_standing_option_reopens_what_was_read_without_it() -> None:
    world = a_world(done=(a_done(),), standing={("csv", "fw"): {"null": "NA"}})
    assert decide(world).reason == "config_changed"
    read = a_done(config_hash=config_hash({"null": "NA"}, None))
    assert decide(replace(world, done={"h1": [read]})).reason == "up_to_date"


def test_a_fix_that_is_ready_reopens_a_file_but_not_after_it_failed() -> None:
    ready = {("h1", "csv"): "a9ed757c"}
    decided = decide(a_world(done=(a_done(),), reopened=ready))
    assert (decided.action, decided.reason) == ("run", "quarantine_reopened")
    assert decide(a_world(done=(a_done(),), reopened={("h1", "other"): "a9ed757c"})).reason == "up_to_date"
    gave_up = decide(a_world(done=(a_done(),), ended=(an_end("parser-refused"),), reopened=ready))
    assert (gave_up.action, gave_up.reason) == ("skip", "gave_up")


def test_a_file_that_a_replay_reads_is_left_to_it() -> None:
    decided = decide(a_world(done=(a_done(contract_hash="c0"),), replaying={("h1", "csv"): 3}))
    assert (decided.action, decided.reason, decided.detail) == ("skip", "in_progress", "replay 3 reads it again")
