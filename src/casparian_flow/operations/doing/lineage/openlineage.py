"""What a run did, as events of OpenLineage.

A run has a start and an end, and so has each of its jobs, which names the run as its parent: a job reads one file and
brings rows to tables. Events are made of what is recorded alone, so that the same run gives the same bytes again.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping

from casparian_flow import __version__
from casparian_flow.core.contracts import Contract
from casparian_flow.core.jobs import JobState
from casparian_flow.core.times import rfc3339
from casparian_flow.core.treatments import Treatment, treatment_in_force
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.views import told_runs as view

PRODUCER = "urn:casparian-flow"
SPEC = "https://openlineage.io/spec"
EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = {
    "schema": f"{SPEC}/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
    "columnLineage": f"{SPEC}/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
    "version": f"{SPEC}/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
    "parent": f"{SPEC}/facets/1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
    "errorMessage": f"{SPEC}/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
    "processing_engine": f"{SPEC}/facets/1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet",
    "jobType": f"{SPEC}/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
    "inputStatistics": f"{SPEC}/facets/1-0-0/InputStatisticsInputDatasetFacet.json"
    "#/$defs/InputStatisticsInputDatasetFacet",
    "outputStatistics": f"{SPEC}/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json"
    "#/$defs/OutputStatisticsOutputDatasetFacet",
}
"""The facets that are written, and where each is defined."""
ENDS = {JobState.COMPLETED: "COMPLETE", JobState.ABORTED: "ABORT"}
"""How a job ended; all else is FAIL."""
MILLISECOND = 1_000_000
_NAMES = uuid.UUID("5f6a1d52-7a53-5c0b-9d0e-6c6173706172")

Event = dict[str, Any]


@dataclass(slots=True)
class Telling:
    """Makes the events of one home; contracts are read once."""

    connection: Connection
    home: str
    _contracts: dict[tuple[str, int], Contract | None] = field(default_factory=dict)

    def events_of(self, run: RowMapping) -> Iterator[Event]:
        """Every event of a run that is over, in the order in which things happened to each job."""
        plan = run["plan_id"]
        parent = self._parent(plan)
        engine = {"name": "casparian-flow", "version": __version__}
        facets = {"processing_engine": _facet("processing_engine", engine)}
        yield self._event("START", run["submitted_at_ns"], f"run {plan}", "run", facets)
        outputs = self._outputs(plan)
        landed, failed = 0, 0
        for job in view.jobs_of_run(self.connection, plan):
            end = ENDS.get(JobState(job["state"]), "FAIL")
            landed += end == "COMPLETE"
            failed += end == "FAIL"
            yield from self._of_job(job, end, parent, outputs.get(job["id"], ()))
        if failed and not landed:
            facets = facets | {"errorMessage": _error(f"none of {failed} files landed")}
        yield self._event(
            "FAIL" if failed and not landed else "COMPLETE", run["finished_at_ns"], f"run {plan}", "run", facets
        )

    def _of_job(self, job: RowMapping, end: str, parent: Event, outputs: Sequence[RowMapping]) -> Iterator[Event]:
        name, run = job["parser_name"], f"job {job['id']}"
        began = job["started_at_ns"] or job["queued_at_ns"]
        ended = job["finished_at_ns"] or began
        source = {
            "namespace": "file",
            "name": f"{job['source'].rstrip('/')}/{job['path']}" if job["path"] else job["source"],
            "facets": {"version": _facet("version", {"datasetVersion": job["source_hash"]})},
        }
        facets = {"parent": parent}
        of_job = {
            "jobType": _facet("jobType", {"processingType": "BATCH", "integration": "CASPARIAN", "jobType": "FILE"})
        }
        yield self._event("START", began, run, name, facets, inputs=[source], of_job=of_job)
        if end == "FAIL":
            facets = facets | {"errorMessage": _error(f"{job['error_code']}: {job['error_message']}")}
        read = {"rowCount": job["rows_read"], "size": job["bytes_read"], "fileCount": 1}
        counted = source | {"inputFacets": {"inputStatistics": _facet("inputStatistics", read)}}
        has_fields = json.loads(job["manifest"]).get("tables") == "file"
        brought = [each for row in outputs for each in self._datasets(row, source, has_fields=has_fields)]
        yield self._event(end, ended, run, name, facets, inputs=[counted], outputs=brought, of_job=of_job)

    def _datasets(self, row: RowMapping, source: Event, *, has_fields: bool) -> Iterator[Event]:
        """The table, and its quarantine where rows went there."""
        if row["accepted"]:
            contract = self._contract(row["table_name"], row["contract_version"])
            facets = {} if contract is None else dict(_of_table(contract, source, has_fields=has_fields))
            yield _output(row["sink_uri"], row["table_name"], row["accepted"], facets)
        if row["quarantined"]:
            yield _output(row["sink_uri"], f"quarantine.{row['table_name']}", row["quarantined"], {})

    def _outputs(self, plan: int) -> Mapping[int, Sequence[RowMapping]]:
        found: dict[int, list[RowMapping]] = defaultdict(list)
        for row in view.outputs_of_run(self.connection, plan):
            found[row["job_id"]].append(row)
        return found

    def _contract(self, table: str, version: int) -> Contract | None:
        if (table, version) not in self._contracts:
            self._contracts[table, version] = contract_store.of_version(self.connection, table, version)
        return self._contracts[table, version]

    def _parent(self, plan: int) -> Event:
        run = {"runId": self._id(f"run {plan}")}
        return _facet("parent", {"run": run, "job": {"namespace": self._namespace, "name": "run"}})

    def _event(
        self,
        kind: str,
        at_ns: int,
        run: str,
        job: str,
        facets: Event,
        *,
        inputs: Sequence[Event] = (),
        outputs: Sequence[Event] = (),
        of_job: Event | None = None,
    ) -> Event:
        return {
            "eventType": kind,
            "eventTime": rfc3339(at_ns // MILLISECOND * MILLISECOND),
            "producer": PRODUCER,
            "schemaURL": EVENT,
            "run": {"runId": self._id(run), "facets": facets},
            "job": {"namespace": self._namespace, "name": job, "facets": of_job or {}},
            "inputs": list(inputs),
            "outputs": list(outputs),
        }

    @property
    def _namespace(self) -> str:
        return f"casparian://{self.home}"

    def _id(self, name: str) -> str:
        return str(uuid.uuid5(_NAMES, f"{self.home} {name}"))


def _of_table(contract: Contract, source: Event, *, has_fields: bool) -> Iterator[tuple[str, Event]]:
    """What the table's columns are, and which field of the file each comes from, where a file has fields by name."""
    kept = [
        (column, treatment_in_force(column.sensitivity, column.treatment))
        for column in contract.columns
        if treatment_in_force(column.sensitivity, column.treatment) is not Treatment.DROP
    ]
    fields = [
        {"name": column.name, "type": column.type} | ({"description": column.description} if column.description else {})
        for column, _ in kept
    ]
    yield "schema", _facet("schema", {"fields": fields})
    if not has_fields or contract.headerless:
        return
    lineage = {
        column.name: {
            "inputFields": [
                {
                    "namespace": source["namespace"],
                    "name": source["name"],
                    "field": column.original or column.name,
                    "transformations": [
                        {"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": treatment is not Treatment.KEEP}
                    ],
                }
            ]
        }
        for column, treatment in kept
    }
    yield "columnLineage", _facet("columnLineage", {"fields": lineage})


def _output(sink: str, name: str, rows: int, facets: Event) -> Event:
    counted = _facet("outputStatistics", {"rowCount": rows})
    return {"namespace": sink, "name": name, "facets": facets, "outputFacets": {"outputStatistics": counted}}


def _error(message: str) -> Event:
    return _facet("errorMessage", {"message": message, "programmingLanguage": "PYTHON"})


def _facet(name: str, values: Event) -> Event:
    return {"_producer": PRODUCER, "_schemaURL": FACETS[name], **values}
