"""Which reply stands behind each schema name, and the JSON Schema that follows from it.

A new answer needs one line here; then run docs/generate.py, which writes `manual/schemas.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from casparian_flow.clients.cli.commands.demo import Demonstration
from casparian_flow.clients.cli.commands.version import Version
from casparian_flow.clients.cli.completion import Installed
from casparian_flow.clients.cli.errors import Failure
from casparian_flow.clients.cli.watching import ENDED, ROUND
from casparian_flow.operations.index import find
from casparian_flow.operations.service.sentinel import SentinelStarted
from casparian_flow.operations.source.watch import WatchEnded, WatchRound

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RECORDS = {
    "casparian.approval/1": "approval.approve",
    "casparian.backtest.comparison/1": "backtest.compare",
    "casparian.backtest.detail/1": "backtest.show",
    "casparian.backtest/1": "backtest.run",
    "casparian.case.used/1": "case.use",
    "casparian.case/1": "case.show",
    "casparian.config.check/1": "config.check",
    "casparian.config.import/1": "config.import",
    "casparian.config.path/1": "config.path",
    "casparian.config.schema/1": "config.schema",
    "casparian.contract-export/1": "contract.export",
    "casparian.contract-import/1": "contract.import",
    "casparian.contract/1": "contract.show",
    "casparian.doctor/1": "doctor",
    "casparian.explanation/1": "explain",
    "casparian.export/1": "export",
    "casparian.file.diff/1": "files.diff",
    "casparian.file.versions/1": "files.versions",
    "casparian.file/1": "files.show",
    "casparian.help/1": "help.topic",
    "casparian.infer/1": "infer",
    "casparian.init/1": "init",
    "casparian.inspect.archive/1": "inspect.archive",
    "casparian.inspect/1": "inspect",
    "casparian.job.priority/1": "jobs.priority",
    "casparian.job.receipt/1": "jobs.receipt",
    "casparian.job-revert-plan/1": "jobs.plan_revert",
    "casparian.job-revert/1": "jobs.revert",
    "casparian.job/1": "jobs.show",
    "casparian.jobs.progress/1": "jobs.watch",
    "casparian.key/1": "key.add",
    "casparian.lineage-export/1": "lineage.export",
    "casparian.metrics/1": "metrics",
    "casparian.output/1": "output.show",
    "casparian.parser.check/1": "parser.check",
    "casparian.parser.options/1": "parser.set",
    "casparian.parser.resumed/1": "parser.resume",
    "casparian.parser.test/1": "parser.test",
    "casparian.parser/1": "parser.show",
    "casparian.plan/1": "plan.make",
    "casparian.preview.raw/1": "preview.raw",
    "casparian.preview/1": "preview",
    "casparian.quarantine-cause/1": "quarantine.triage",
    "casparian.proposal/1": "approval.show",
    "casparian.quarantine-export/1": "quarantine.export",
    "casparian.quarantine-group/1": "quarantine.show",
    "casparian.quarantine-raw/1": "quarantine.raw",
    "casparian.compaction-plan/1": "output.plan_compact",
    "casparian.compaction/1": "output.compact",
    "casparian.rejection/1": "approval.reject",
    "casparian.replay-plan/1": "replay.plan",
    "casparian.replay.detail/1": "replay.show",
    "casparian.replay/1": "replay.start",
    "casparian.repair/1": "quarantine.repair",
    "casparian.revert-plan/1": "output.plan_revert",
    "casparian.revert/1": "output.revert",
    "casparian.rule.removed/1": "rules.remove",
    "casparian.rule.test/1": "rules.test",
    "casparian.rule/1": "rules.show",
    "casparian.rules.applied/1": "rules.apply",
    "casparian.rules.proposed/1": "rules.propose",
    "casparian.run/1": "run",
    "casparian.scan/1": "scan",
    "casparian.schema/1": "help.schema",
    "casparian.setting/1": "config.get",
    "casparian.sink.checked/1": "sink.check",
    "casparian.sink.removed/1": "sink.remove",
    "casparian.sink/1": "sink.add",
    "casparian.source.added/1": "source.add",
    "casparian.source.detail/1": "source.show",
    "casparian.source.removed/1": "source.remove",
    "casparian.source.used/1": "source.use",
    "casparian.source/1": "source.ignore",
    "casparian.status/1": "status",
    "casparian.stop/1": "sentinel.stop",
    "casparian.tag/1": "tags.show",
    "casparian.tags.changed/1": "tags.add",
    "casparian.token.added/1": "token.add",
    "casparian.token/1": "token.revoke",
    "casparian.topic/1": "topic.show",
    "casparian.trace/2": "trace",
    "casparian.watch/1": "watch.remove",
    "casparian.why/1": "why",
    "casparian.withdrawal/1": "approval.withdraw",
    "casparian.worker.changed/1": "worker.drain",
    "casparian.worker.invitation/1": "worker.invite",
    "casparian.worker/1": "worker.show",
}
"""Answers that are one thing: the operation whose reply it is."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An answer that is a list: the operation, the field of its reply that holds the items, the key in the answer."""

    operation: str
    field: str
    key: str = ""
    beside: tuple[str, ...] = ()
    """Fields of the reply that stand beside the items."""


LISTS = {
    "casparian.backtests/1": Listed("backtest.list", "backtests"),
    "casparian.cases/1": Listed("case.list", "cases"),
    "casparian.codes/1": Listed("explain.list", "codes"),
    "casparian.config/1": Listed("config.show", "settings"),
    "casparian.contracts/1": Listed("contract.list", "contracts"),
    "casparian.files/1": Listed("files.list", "files"),
    "casparian.job.logs/1": Listed("jobs.logs", "lines"),
    "casparian.jobs.cancelled/1": Listed("jobs.cancel", "cancelled"),
    "casparian.jobs.retried/1": Listed("jobs.retry", "retried"),
    "casparian.jobs/1": Listed("jobs.list", "jobs"),
    "casparian.output-history/1": Listed("output.history", "commits"),
    "casparian.keys/1": Listed("key.list", "keys"),
    "casparian.outputs/1": Listed("output.list", "outputs"),
    "casparian.parsers/1": Listed("parser.list", "parsers"),
    "casparian.profile/1": Listed("tables.profile", "columns"),
    "casparian.proposals/1": Listed("approval.list", "proposals"),
    "casparian.quarantine/1": Listed("quarantine.list", "groups"),
    "casparian.replays/1": Listed("replay.list", "replays"),
    "casparian.repairs/1": Listed("repair.list", "repairs"),
    "casparian.rules/1": Listed("rules.list", "rules"),
    "casparian.scan.problems/1": Listed("scan", "problems"),
    "casparian.schemas/1": Listed("help.schemas", "schemas"),
    "casparian.sinks/1": Listed("sink.list", "sinks"),
    "casparian.sources/1": Listed("source.list", "sources"),
    "casparian.table/1": Listed("tables.list", "fields", "columns"),
    "casparian.tables/1": Listed("tables.list", "tables"),
    "casparian.tags/1": Listed("tags.list", "tags"),
    "casparian.tokens/1": Listed("token.list", "tokens"),
    "casparian.topics/1": Listed("topic.list", "topics"),
    "casparian.workers/1": Listed("worker.list", "workers"),
    "casparian.watches/1": Listed("watch.list", "watches"),
}
OWN: dict[str, tuple[type, str]] = {
    "casparian.start/1": (SentinelStarted, "A sentinel that takes requests."),
    "casparian.completion/1": (Installed, "Where completion was put."),
    "casparian.demo/1": (Demonstration, "The demonstration, step by step."),
    "casparian.error/1": (Failure, "An error, on standard error."),
    "casparian.version/1": (Version, "The version of the product."),
    ENDED: (WatchEnded, "What a watch brought, when it is over."),
    ROUND: (WatchRound, "One round of --watch."),
}
"""Answers that no operation stands behind."""


def schemas() -> dict[str, dict[str, Any]]:
    """Every JSON Schema by the name that answers carry in `schema`, sorted."""
    return dict(sorted(_all()))


def _all() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, answered in RECORDS.items():
        operation = find(answered)
        body = _record(name, operation.reply, operation.summary)
        if operation.may_be_tried:
            body["properties"]["is_dry_run"] = {"const": True}
        yield name, body
    for name, (kind, title) in OWN.items():
        yield name, _record(name, kind, title)
    for name, listed in LISTS.items():
        yield name, _list(name, listed)
    yield (
        "casparian.sql/1",
        _object(
            "casparian.sql/1",
            "The rows of a query; their keys are its columns.",
            {"rows": {"type": "array", "items": {"type": "object"}}, "is_cut": {"type": "boolean"}},
        ),
    )
    yield (
        "casparian.progress/1",
        _object(
            "casparian.progress/1",
            "One event of --progress jsonl, on standard error.",
            {
                "event": {"type": "string"},
                "at": {"type": "string", "format": "date-time"},
                "values": {"type": "object"},
            },
        ),
    )


def _record(name: str, kind: type, title: str) -> dict[str, Any]:
    reference, parts = _components(kind)
    body = parts[reference]
    found = _object(name, title, body["properties"], body.get("required", []))
    return found | {"$defs": parts} if len(parts) > 1 else found


def _list(name: str, listed: Listed) -> dict[str, Any]:
    operation = find(listed.operation)
    reference, parts = _components(operation.reply)
    items = parts[reference]["properties"][listed.field]
    beside = {field: parts[reference]["properties"][field] for field in listed.beside}
    cursor = {"type": ["string", "null"]}
    del parts[reference]
    found = _object(name, operation.summary, {listed.key or listed.field: items, "next_cursor": cursor, **beside})
    return found | {"$defs": parts}


def _object(name: str, title: str, properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "$schema": DIALECT,
        "$id": name,
        "title": title,
        "type": "object",
        "properties": {"schema": {"const": name}, **properties},
        "required": ["schema", *(properties if required is None else required)],
    }


def _components(kind: type) -> tuple[str, dict[str, Any]]:
    """The name of the type among its parts, and all parts, in the values that JSON has: a default may be a tuple."""
    (reference,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return reference["$ref"].rpartition("/")[2], msgspec.json.decode(msgspec.json.encode(parts))
