"""The read model: control tables as people may query them, under documented names and columns.

The names of the first designs (`cf_processing_queue`, `cf_file_location`, `cf_file_version`) are among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlalchemy import Connection, text

TIME = pa.timestamp("us", "UTC")
TEXT, INT, BOOL, FLOAT = pa.string(), pa.int64(), pa.bool_(), pa.float64()


@dataclass(frozen=True, slots=True)
class PublishedColumn:
    """One column: its name, its type, and what it says."""

    name: str
    type: pa.DataType
    says: str


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """One table of the read model. The statement yields the columns in order; times as microseconds since 1970."""

    name: str
    says: str
    columns: tuple[PublishedColumn, ...]
    statement: str


def _table(name: str, says: str, statement: str, *columns: tuple[str, pa.DataType, str]) -> PublishedTable:
    return PublishedTable(name, says, tuple(PublishedColumn(*column) for column in columns), statement)


PUBLISHED = {
    table.name: table
    for table in (
        _table(
            "cf_processing_queue",
            "Every job, whatever its state.",
            """SELECT j.id, j.plan_id, j.version_id, j.location_id, j.source_hash, j.state, j.state, p.name, p.version,
                 p.artifact_hash, p.env_hash, j.reason, j.priority, j.attempt, j.routes, j.base_table,
                 j.error_code, j.error_message, j.queued_at_ns / 1000, j.started_at_ns / 1000, j.finished_at_ns / 1000
               FROM cf_jobs j JOIN cf_parsers p ON p.id = j.parser_id ORDER BY j.id""",
            ("id", INT, "the job; `_cf_job_id` of its rows"),
            ("plan_id", INT, "the plan that asked for it"),
            ("file_version_id", INT, "the version that it reads"),
            ("location_id", INT, "the path at which it reads"),
            ("source_hash", TEXT, "the bytes that it reads"),
            ("status", TEXT, "its state"),
            ("state", TEXT, "its state"),
            ("plugin_name", TEXT, "the parser's name"),
            ("parser_version", TEXT, "the parser's version"),
            ("artifact_hash", TEXT, "digest of the parser's files"),
            ("env_hash", TEXT, "digest of the parser's environment"),
            ("reason", TEXT, "why it runs"),
            ("priority", INT, "100 for files changed within a day, 50 within a week, else 10"),
            ("attempt", INT, "how often it was dispatched"),
            ("routes", TEXT, "where its tables land, as JSON: the default sinks with their modes, and those of topics"),
            ("base_table", TEXT, "the table that the file's name asks for"),
            ("error_code", TEXT, "why it failed"),
            ("error_message", TEXT, "why it failed, in words"),
            ("queued_at", TIME, "when it was queued"),
            ("started_at", TIME, "when its parser began"),
            ("finished_at", TIME, "when it ended"),
        ),
        _table(
            "cf_materializations",
            "Proof of which bytes reached which table of which sink.",
            """SELECT key, job_id, target_key, source_hash, parser_name, artifact_hash, env_hash, config_hash, sink_uri,
                 sink_mode, table_name, contract_version, contract_hash, accepted, quarantined, purged, row_digest,
                 is_current, recorded_at_ns / 1000
               FROM cf_materializations ORDER BY id""",
            ("materialization_key", TEXT, "digest of target, bytes, parser, environment, contract and configuration"),
            ("job_id", INT, "the job that brought the rows"),
            ("output_target_key", TEXT, "digest of sink, table, schema and mode"),
            ("source_hash", TEXT, "the bytes"),
            ("parser_name", TEXT, "the parser"),
            ("artifact_hash", TEXT, "digest of the parser's files"),
            ("env_hash", TEXT, "digest of the parser's environment"),
            ("config_hash", TEXT, "digest of the options"),
            ("sink_uri", TEXT, "where the rows are"),
            ("sink_mode", TEXT, "append, replace or error"),
            ("table_name", TEXT, "the table; empty when the file held no rows"),
            ("contract_version", INT, "the contract's version"),
            ("contract_hash", TEXT, "digest of what the contract enforces"),
            ("accepted", INT, "rows in the table"),
            ("quarantined", INT, "rows in its quarantine"),
            ("purged", INT, "rejected rows that were erased for good"),
            ("row_digest", TEXT, "digest of the accepted rows' values in order"),
            ("is_current", BOOL, "whether the rows are in the current view"),
            ("recorded_at", TIME, "when it was recorded"),
        ),
        _table(
            "cf_expected_outputs",
            "Which tables a parser is known to bring, and under which contract.",
            """SELECT DISTINCT m.parser_name, m.table_name, m.sink_uri, m.sink_mode, m.contract_version
               FROM cf_materializations m WHERE m.table_name <> '' ORDER BY 1, 2, 3""",
            ("parser_name", TEXT, "the parser"),
            ("table_name", TEXT, "the table"),
            ("sink_uri", TEXT, "where it lands"),
            ("sink_mode", TEXT, "append, replace or error"),
            ("contract_version", INT, "the contract's version"),
        ),
        _table(
            "cf_sinks",
            "The sinks that have a name.",
            "SELECT name, uri, added_at_ns / 1000 FROM cf_sinks ORDER BY name",
            ("name", TEXT, "what `--sink` may be given"),
            ("uri", TEXT, "where it is"),
            ("added_at", TIME, "since when"),
        ),
        _table(
            "schema_topics",
            "Where the tables of each topic land, unless a run says otherwise.",
            "SELECT topic, sink_uri, sink_mode, set_at_ns / 1000 FROM schema_topics ORDER BY topic, sink_uri",
            ("topic", TEXT, "a table, or what tables of its name begin with before a `__`"),
            ("sink_uri", TEXT, "one of its sinks"),
            ("sink_mode", TEXT, "append, replace or error"),
            ("set_at", TIME, "since when"),
        ),
        _table(
            "cf_row_files",
            "Every path that carries the bytes behind a row now; join it on `_cf_source_hash`.",
            """SELECT v.source_hash, l.id, s.display, l.display, l.is_missing
               FROM scout_locations l JOIN scout_versions v ON v.id = l.current_version_id
               JOIN scout_sources s ON s.id = l.source_id ORDER BY v.source_hash, l.id""",
            ("source_hash", TEXT, "the bytes"),
            ("location_id", INT, "the path's id"),
            ("source", TEXT, "the source's root"),
            ("rel_path", TEXT, "the path inside the source"),
            ("is_missing", BOOL, "whether the file is gone"),
        ),
        _table(
            "cf_file_location",
            "Every path that was ever found.",
            """SELECT l.id, l.source_id, s.display, l.display, l.kind, l.problem, l.size, l.mtime_ns / 1000,
                 l.is_missing, l.current_version_id
               FROM scout_locations l JOIN scout_sources s ON s.id = l.source_id ORDER BY l.id""",
            ("id", INT, "the path's id"),
            ("source_id", INT, "its source"),
            ("source", TEXT, "the source's root"),
            ("rel_path", TEXT, "the path inside the source; undecodable bytes as \\xNN"),
            ("kind", TEXT, "file, symlink, fifo, …"),
            ("problem", TEXT, "why it could not be read"),
            ("size_bytes", INT, "its size"),
            ("modified_at", TIME, "its time of modification"),
            ("is_missing", BOOL, "whether it is gone"),
            ("current_version_id", INT, "its newest version"),
        ),
        _table(
            "cf_file_version",
            "Every content that a path ever had.",
            """SELECT id, location_id, source_hash, source_hash, sha256, size, content, content_reason, mtime_ns / 1000,
                 detected_at_ns / 1000
               FROM scout_versions ORDER BY id""",
            ("id", INT, "the version; `_cf_file_version_id` of its rows"),
            ("location_id", INT, "the path"),
            ("content_hash", TEXT, "digest of the bytes"),
            ("source_hash", TEXT, "digest of the bytes"),
            ("sha256", TEXT, "sha256 of the bytes, where it was asked for"),
            ("size_bytes", INT, "how many bytes"),
            ("content", TEXT, "the kind of content"),
            ("content_reason", TEXT, "by which sign it was told"),
            ("modified_at", TIME, "the file's time of modification"),
            ("detected_at", TIME, "when it was found"),
        ),
        _table(
            "cf_quarantine_groups",
            "Rejections of each job by cause.",
            """SELECT id, job_id, table_name, code, column_name, shape, rows, message, sample, state, is_current
               FROM cf_quarantine_groups ORDER BY id""",
            ("id", INT, "the group's id"),
            ("job_id", INT, "the job"),
            ("table_name", TEXT, "the table that the rows missed"),
            ("code", TEXT, "the cause"),
            ("column_name", TEXT, "the first column that failed"),
            ("shape", TEXT, "the form of the value"),
            ("rows", INT, "how many rows"),
            ("message", TEXT, "the cause in words"),
            ("sample", TEXT, "one value"),
            ("state", TEXT, "what was done about it"),
            ("is_current", BOOL, "false once its file changed"),
        ),
        _table(
            "cf_quarantine",
            "Every cause of rejections with its sums over all files.",
            """SELECT q.reference, q.table_name, q.code, q.column_name, q.shape, c.parser_name, c.owner, c.note,
                 sum(CASE WHEN q.state IN ('open', 'triaged', 'fix_ready') THEN q.rows ELSE 0 END), sum(q.rows),
                 count(DISTINCT j.source_hash), min(j.queued_at_ns) / 1000, max(j.queued_at_ns) / 1000
               FROM cf_quarantine_groups q JOIN cf_jobs j ON j.id = q.job_id
               LEFT JOIN cf_causes c ON c.reference = q.reference
               WHERE q.is_current GROUP BY q.reference, q.table_name, q.code, q.column_name, q.shape
               ORDER BY q.reference, q.table_name, q.code, q.column_name, q.shape""",
            ("reference", TEXT, "the short name of the cause"),
            ("table_name", TEXT, "the table that the rows missed"),
            ("code", TEXT, "the cause"),
            ("column_name", TEXT, "the first column that failed"),
            ("shape", TEXT, "the form of the value"),
            ("parser_name", TEXT, "the parser that read the rows"),
            ("owner", TEXT, "who looks after it"),
            ("note", TEXT, "what was written down about it"),
            ("open_rows", INT, "rows that still wait"),
            ("rows", INT, "rows in all"),
            ("files", INT, "of how many different contents"),
            ("first_seen", TIME, "when its first file was queued"),
            ("last_seen", TIME, "when its last one was"),
        ),
        _table(
            "cf_verdicts",
            "What parsers detected about files.",
            "SELECT job_id, name, value, confidence, runner_up FROM cf_verdicts ORDER BY job_id, ordinal",
            ("job_id", INT, "the job"),
            ("name", TEXT, "what was detected"),
            ("value", TEXT, "the verdict"),
            ("confidence", FLOAT, "from 0 to 1"),
            ("runner_up", TEXT, "the next best"),
        ),
        _table(
            "scout_decisions",
            "The newest decision about every file.",
            """SELECT d.location_id, l.display, d.action, d.reason, d.detail, d.parser, d.plan_id
               FROM cf_decisions d JOIN scout_locations l ON l.id = d.location_id ORDER BY d.location_id""",
            ("location_id", INT, "the path's id"),
            ("rel_path", TEXT, "the path"),
            ("action", TEXT, "run or skip"),
            ("reason", TEXT, "the reason code"),
            ("detail", TEXT, "the reason in words"),
            ("parser", TEXT, "the parser chosen"),
            ("plan_id", INT, "the plan that decided"),
        ),
        _table(
            "scout_sources",
            "The folders that are watched or were scanned.",
            "SELECT id, display, added_at_ns / 1000 FROM scout_sources ORDER BY id",
            ("id", INT, "the source"),
            ("root", TEXT, "its folder"),
            ("added_at", TIME, "since when"),
        ),
        _table(
            "scout_rules",
            "The globs that tag files.",
            "SELECT id, pattern, tag, priority, parser, topic FROM scout_rules ORDER BY priority DESC, id",
            ("id", INT, "the rule"),
            ("pattern", TEXT, "the glob"),
            ("tag", TEXT, "the tag it gives"),
            ("priority", INT, "higher is asked first"),
            ("parser", TEXT, "the parser it names"),
            ("topic", TEXT, "the table it names"),
        ),
        _table(
            "scout_tags",
            "The tags of every file.",
            "SELECT location_id, tag, rule_id FROM scout_tags ORDER BY location_id, tag",
            ("location_id", INT, "the path's id"),
            ("tag", TEXT, "the tag"),
            ("rule_id", INT, "the rule that gave it; null when a person did"),
        ),
        _table(
            "schema_contracts",
            "Every contract with its history.",
            """SELECT id, table_name, version, state, origin, hash, digest, body, proposed_at_ns / 1000, proposed_by,
                 decided_at_ns / 1000, decided_by, decision_reason
               FROM schema_contracts ORDER BY id""",
            ("id", INT, "the contract"),
            ("table_name", TEXT, "its table"),
            ("version", INT, "its version"),
            ("state", TEXT, "proposed, applied, …"),
            ("origin", TEXT, "adopted without review, declared by a parser, or approved"),
            ("hash", TEXT, "digest of what it enforces"),
            ("digest", TEXT, "what an approval is bound to"),
            ("body", TEXT, "the whole contract as JSON"),
            ("proposed_at", TIME, "when"),
            ("proposed_by", TEXT, "by whom"),
            ("decided_at", TIME, "when it was decided"),
            ("decided_by", TEXT, "by whom"),
            ("decision_reason", TEXT, "the reason given"),
        ),
        _table(
            "schema_amendments",
            "Every change of a contract that was ever wanted.",
            """SELECT p.id, p.table_name, p.state, p.body, p.risk, p.evidence_rows, p.evidence_files, p.digest,
                 p.origin, p.proposed_by, p.reason, p.drafted_at_ns / 1000, p.proposed_at_ns / 1000,
                 p.decided_at_ns / 1000, p.applied_at_ns / 1000, p.void_reason
               FROM cf_proposals p WHERE p.kind = 'amendment' ORDER BY p.id""",
            ("id", INT, "the proposal"),
            ("table_name", TEXT, "the table"),
            ("state", TEXT, "draft, proposed, applied, …"),
            ("body", TEXT, "its operations as JSON"),
            ("risk", TEXT, "additive, lossless, restrictive or destructive; null while it is a draft"),
            ("evidence_rows", INT, "rows or values that speak for it"),
            ("evidence_files", INT, "in how many different contents"),
            ("digest", TEXT, "what a decision is bound to; null while it is a draft"),
            ("origin", TEXT, "system, person, inference or policy"),
            ("proposed_by", TEXT, "who wants it"),
            ("reason", TEXT, "why"),
            ("drafted_at", TIME, "when it was drafted"),
            ("proposed_at", TIME, "when it was proposed"),
            ("decided_at", TIME, "when it was decided"),
            ("applied_at", TIME, "when it was applied"),
            ("void_reason", TEXT, "why it cannot be decided any more"),
        ),
        _table(
            "schema_drift",
            "How files differed from their contracts.",
            "SELECT job_id, table_name, axis, column_name, detail, rows FROM schema_drift ORDER BY job_id, ordinal",
            ("job_id", INT, "the job"),
            ("table_name", TEXT, "the table"),
            ("axis", TEXT, "new_column, missing_column, type, nullability"),
            ("column_name", TEXT, "the column"),
            ("detail", TEXT, "what was expected"),
            ("rows", INT, "how many rows"),
        ),
    )
}
"""By name."""
COLUMNS_BY_ID = {
    name: tuple(column.name for column in table.columns)
    for name, table in PUBLISHED.items()
    if table.columns[0].name == "id"
}
"""The columns of the tables in which `id` names one row."""


def read_published(connection: Connection, name: str) -> pa.Table:
    """The rows of one published table now, as Arrow."""
    published = PUBLISHED[name]
    rows: Sequence[tuple[object, ...]] = [tuple(row) for row in connection.execute(text(published.statement))]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(published.columns)
    arrays = [_array(list(values), column.type) for values, column in zip(columns, published.columns, strict=True)]
    return pa.table(arrays, names=[column.name for column in published.columns])


def _array(values: list[object], kind: pa.DataType) -> pa.Array:
    if kind == BOOL:
        return pa.array([None if value is None else bool(value) for value in values], BOOL)
    if kind == TIME:
        return pa.array(values, pa.int64()).cast(TIME)
    return pa.array(values, kind)
