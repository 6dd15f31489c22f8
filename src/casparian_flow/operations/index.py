"""Where each operation is found, so that asking for one imports only its area."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from casparian_flow.core.errors import NotFound
from casparian_flow.operations.registry import Operation

AREAS: dict[str, str] = {
    "case.list": "cases",
    "case.show": "cases",
    "case.use": "cases",
    "complete": "complete",
    "config.check": "config",
    "config.get": "config",
    "config.import": "config",
    "config.path": "config",
    "config.schema": "config",
    "config.set": "config",
    "config.show": "config",
    "config.unset": "config",
    "contract.approve": "contract",
    "contract.list": "contract",
    "contract.show": "contract",
    "demo": "demo",
    "doctor": "doctor",
    "doctor.fix": "doctor",
    "doctor.recover": "doctor",
    "explain": "explain",
    "explain.list": "explain",
    "export": "export",
    "files.diff": "file_versions",
    "files.list": "files",
    "files.show": "files",
    "files.versions": "file_versions",
    "help.schema": "schemas",
    "help.schemas": "schemas",
    "help.topic": "manual_pages",
    "infer": "infer",
    "init": "init",
    "inspect": "inspect",
    "inspect.archive": "look",
    "jobs.cancel": "job_cancel",
    "jobs.list": "jobs",
    "jobs.logs": "job_logs",
    "jobs.priority": "job_retry",
    "jobs.receipt": "jobs",
    "jobs.retry": "job_retry",
    "jobs.show": "jobs",
    "jobs.watch": "job_progress",
    "metrics": "metrics",
    "output.compact": "output_compact",
    "output.history": "output_history",
    "output.list": "output",
    "output.plan_compact": "output_compact",
    "output.plan_revert": "output_revert",
    "output.revert": "output_revert",
    "output.show": "output",
    "parser.check": "parser",
    "parser.list": "parser",
    "parser.resume": "parser_pause",
    "parser.show": "parser_pause",
    "parser.test": "parser_cases",
    "plan.make": "plan",
    "preview": "inspect",
    "preview.raw": "look",
    "quarantine.export": "quarantine_rows",
    "quarantine.list": "quarantine",
    "quarantine.show": "quarantine_rows",
    "rules.add": "rules",
    "rules.apply": "rule_effects",
    "rules.list": "rules",
    "rules.propose": "rule_proposals",
    "rules.remove": "rules",
    "rules.show": "rules",
    "rules.test": "rule_effects",
    "run": "run",
    "scan": "scan",
    "sentinel.stop": "sentinel",
    "sink.add": "sinks",
    "sink.check": "sinks",
    "sink.list": "sinks",
    "sink.remove": "sinks",
    "source.add": "sources",
    "source.ignore": "sources",
    "source.list": "sources",
    "source.remove": "sources",
    "source.show": "sources",
    "source.use": "sources",
    "sql": "sql",
    "status": "status",
    "tables.list": "sql",
    "tables.profile": "profile",
    "tags.add": "tags",
    "tags.list": "tags",
    "tags.remove": "tags",
    "tags.show": "tag_detail",
    "token.add": "tokens",
    "token.list": "tokens",
    "token.revoke": "tokens",
    "topic.add": "topics",
    "topic.list": "topics",
    "topic.remove": "topics",
    "topic.set": "topics",
    "topic.show": "topics",
    "trace": "trace",
    "watch.add": "watches",
    "watch.follow": "watch",
    "watch.list": "watches",
    "watch.look": "watches",
    "watch.open": "watches",
    "watch.remove": "watches",
    "why": "why",
    "worker.drain": "workers",
    "worker.invite": "worker_invitation",
    "worker.list": "workers",
    "worker.remove": "workers",
    "worker.show": "workers",
}
"""Operation name to the module of this package that holds it in its `OPERATIONS`."""


def find(name: str) -> Operation[Any, Any]:
    """The operation of that name; raises NotFound, with the name that was probably meant."""
    if name not in AREAS:
        close = difflib.get_close_matches(name, AREAS, n=1)
        raise NotFound(f"there is no operation {name}", why=f"did you mean {close[0]}?" if close else "")
    module = import_module(f"{__package__}.{AREAS[name]}")
    found: Operation[Any, Any] = next(each for each in module.OPERATIONS if each.name == name)
    return found


def every() -> Iterator[Operation[Any, Any]]:
    """All operations, sorted by name; imports every area."""
    return map(find, sorted(AREAS))
