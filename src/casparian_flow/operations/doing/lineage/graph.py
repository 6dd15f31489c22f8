"""Draws the graph of a trace: each thing once, with its facts."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, RowMapping

from casparian_flow.core.files import FileState
from casparian_flow.core.outputs import Role
from casparian_flow.core.proposals import Kind, label
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.lineage.graph import Fact, TraceEdge, TraceNode
from casparian_flow.operations.query.rows import FoundRow
from casparian_flow.sentinel.history.timeline import TableCommit, commit_of
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.signed import is_self_approved
from casparian_flow.store.views import jobs as job_view
from casparian_flow.store.views import lineage as view


class Graph:
    """Grows as it is asked for; every method returns the id of the node that it added or found."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.nodes: dict[str, TraceNode] = {}
        self.edges: list[TraceEdge] = []

    def edge(self, start: str, end: str, says: str) -> None:
        """Join two nodes, once."""
        edge = TraceEdge(start=start, end=end, says=says)
        if edge not in self.edges:
            self.edges.append(edge)

    def row(self, row: FoundRow) -> str:
        """One row, and everything above it."""
        node = self._add(
            "row",
            f"{row.row} in {row.table}" if row.role == Role.ACCEPTED else f"{row.row} in quarantine of {row.table}",
            {
                "row": row.row,
                "table": row.table,
                "role": row.role,
                "message": row.message,
                "start": row.start,
                "end": row.end,
                "locator": row.locator,
                "raw": row.raw,
                "values": row.values,
            },
            title=row.row,
        )
        self.edge(node, self.job_up(int(row.job)), "brought by")
        for output in view.output_of(self._connection, int(row.job), row.table):
            if output["sink_uri"] == row.sink:
                self._landing(node, output)
        return node

    def job(self, job: int) -> str:
        """One job with what its receipt says."""
        row = job_view.find_job(self._connection, job)
        assert row is not None
        receipt = None if row["receipt"] is None else msgspec.json.decode(row["receipt"], type=Receipt)
        return self._add(
            "job",
            str(job),
            {
                "state": row["state"],
                "reason": row["reason"],
                "attempt": row["attempt"],
                "accepted": row["accepted"],
                "quarantined": row["quarantined"],
                "worker": row["worker"],
                "host": receipt.host if receipt else None,
                "user": receipt.user if receipt else None,
                "version": receipt.version if receipt else None,
                "isolation": receipt.isolation if receipt else None,
                "started": None if row["started_at_ns"] is None else rfc3339(row["started_at_ns"]),
                "finished": None if row["finished_at_ns"] is None else rfc3339(row["finished_at_ns"]),
                "error": row["error_code"],
                "message": row["error_message"],
            },
        )

    def job_up(self, job: int) -> str:
        """One job with its parser, its environment, the bytes it read and all their paths."""
        node = self.job(job)
        row = job_view.find_job(self._connection, job)
        assert row is not None
        parser = view.parser(self._connection, row["parser_id"])
        artifact = self._add(
            "parser",
            f"{parser['name']}@{parser['version']}",
            {"artifact": parser["artifact_hash"], "origin": parser["origin"], "status": parser["status"]},
            key=parser["artifact_hash"],
        )
        self.edge(node, artifact, "parsed with")
        self.edge(artifact, self._add("environment", parser["env_hash"], {}), "in")
        version = view.version(self._connection, row["version_id"])
        assert version is not None
        held = self.bytes(version)
        self.edge(node, held, "read")
        self.places(held, version["source_hash"])
        return node

    def job_down(self, job: int) -> str:
        """One job with the tables, contracts and commits that it brought rows to."""
        node = self.job(job)
        for output in view.outputs_of(self._connection, job):
            self._landing(node, output)
        return node

    def bytes(self, version: RowMapping) -> str:
        """What a file version holds."""
        return self._add(
            "bytes",
            version["source_hash"],
            {"size": version["size"], "content": version["content"], "sha256": version["sha256"]},
        )

    def places(self, held: str, source_hash: str) -> None:
        """Every path that carries these bytes now, or did."""
        for place in view.places_of(self._connection, source_hash):
            file = self._place(place["source"], place["path"], is_missing=place["is_missing"])
            self.edge(held, file, "at" if place["is_current"] else "was at")

    def file(self, row: RowMapping) -> str:
        """One path, as the list of files has it."""
        return self._place(row["source"], row["path"], is_missing=row["state"] == FileState.MISSING)

    def table(self, table: str, sink: str) -> str:
        """One table in one sink."""
        return self._add("table", table, {"sink": sink}, key=f"{table} {sink}")

    def seq_of(self, output: RowMapping, role: Role) -> int | None:
        """The log entry that made a job's rows visible in one role; None if it brought none."""
        commit = self._commit_of(output)
        entry = commit.entries.get(role) if commit else None
        brought = {record.job for record in entry.jobs} if entry else set()
        return entry.seq if entry and output["job_id"] in brought else None

    def _landing(self, node: str, output: RowMapping) -> None:
        """Where rows of a job landed: table and sink, contract and who approved it, commit."""
        table = self.table(output["table_name"], output["sink_uri"])
        rejected = f" and {output['quarantined']} quarantined" if output["quarantined"] else ""
        shown = "" if output["is_current"] else ", not shown now,"
        brought = f"brought {output['accepted']} rows{rejected}{shown} to"
        self.edge(node, table, brought if node.startswith("job") else "in")
        contract = view.contract(self._connection, output["table_name"], output["contract_version"])
        if contract is not None:
            self.edge(node, self._contract(contract), "under")
        if (commit := self._commit_of(output)) is not None:
            self.edge(node, self._commit(commit, output), "by")

    def _contract(self, row: RowMapping) -> str:
        return self._add(
            "contract",
            f"{row['table_name']} version {row['version']}",
            {
                "id": row["id"],
                "state": row["state"],
                "origin": row["origin"],
                "digest": row["digest"],
                "proposed_by": row["proposed_by"],
                "decided_by": row["decided_by"],
                "decided": None if row["decided_at_ns"] is None else rfc3339(row["decided_at_ns"]),
                "reason": row["decision_reason"],
                **self._decision(row),
            },
        )

    def _decision(self, row: RowMapping) -> dict[str, str | bool]:
        """The proposal that put a contract in force; that who proposed it approved it is never left out."""
        if row["proposal_id"] is None:
            return {}
        kind = Kind(proposal_store.one(self._connection, row["proposal_id"]).kind)
        is_self = is_self_approved(self._connection, row["proposal_id"], row["digest"])
        return {"proposal": label(kind, row["proposal_id"])} | ({"self_approved": True} if is_self else {})

    def _commit(self, commit: TableCommit, output: RowMapping) -> str:
        entries = commit.entries
        return self._add(
            "commit",
            f"snapshot {commit.snapshot}",
            {
                "at": rfc3339(commit.at_ns),
                "action": commit.action,
                "table": output["table_name"],
                "sink": output["sink_uri"],
                "entry": entries[Role.ACCEPTED].seq if Role.ACCEPTED in entries else None,
                "quarantine_entry": entries[Role.QUARANTINE].seq if Role.QUARANTINE in entries else None,
                "is_visible": commit.is_recorded,
            },
        )

    def _commit_of(self, output: RowMapping) -> TableCommit | None:
        """The commit that first brought a job's rows to a table; None if it brought none."""
        return commit_of(self._connection, output["sink_uri"], output["table_name"], output["job_id"])

    def _place(self, source: str, path: str, *, is_missing: bool) -> str:
        return self._add("file", f"{source}/{path}", {"is_missing": is_missing})

    def _add(self, kind: str, name: str, facts: dict[str, Fact], *, title: str | None = None, key: str = "") -> str:
        node = f"{kind} {key or name}"
        if node not in self.nodes:
            self.nodes[node] = TraceNode(id=node, kind=kind, title=title or name, facts=facts)
        return node
