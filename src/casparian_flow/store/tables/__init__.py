"""The schema of the control plane, to be read first: every table by its name.

Times are nanoseconds since 1970 in UTC and end in `_ns`. Paths are bytes, since names need not be text; the
readable form stands beside them. JSON columns hold what no statement filters by.
The conditions of indexes are those of SQLite; naming another database here would load its dialect at every start.
"""

from casparian_flow.store.tables.base import ID, metadata
from casparian_flow.store.tables.governance import approvals, keys, proposal_evidence, proposals
from casparian_flow.store.tables.landed import commits, materializations, named_sinks, topics, verdicts
from casparian_flow.store.tables.peers import meta, requests, tokens, watches, worker_keys, workers
from casparian_flow.store.tables.rejections import causes, quarantine
from casparian_flow.store.tables.remedies import options, repairs, replay_files, replays, tombstones
from casparian_flow.store.tables.schema import contracts, drift
from casparian_flow.store.tables.scout import hashes, locations, rules, scans, sources, tags, versions
from casparian_flow.store.tables.trials import backtest_files, backtests, equivalences
from casparian_flow.store.tables.work import decisions, job_logs, jobs, parsers, plans, runs

__all__ = [
    "ID",
    "approvals",
    "backtest_files",
    "backtests",
    "causes",
    "commits",
    "contracts",
    "decisions",
    "drift",
    "equivalences",
    "hashes",
    "job_logs",
    "jobs",
    "keys",
    "locations",
    "materializations",
    "meta",
    "metadata",
    "named_sinks",
    "options",
    "parsers",
    "plans",
    "proposal_evidence",
    "proposals",
    "quarantine",
    "repairs",
    "replay_files",
    "replays",
    "requests",
    "rules",
    "runs",
    "scans",
    "sources",
    "tags",
    "tokens",
    "tombstones",
    "topics",
    "verdicts",
    "versions",
    "watches",
    "worker_keys",
    "workers",
]
