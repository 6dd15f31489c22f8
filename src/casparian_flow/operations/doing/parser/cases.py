"""How what `operations.parser.cases` names is done."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.tables import table_from_file_name
from casparian_flow.lab.trial import Trial, collected_of, try_parser
from casparian_flow.operations.context import Reading
from casparian_flow.operations.parser.cases import ParserTest, Tried, TryParser
from casparian_flow.publish.discover import named_parser
from casparian_flow.sdk.testing import (
    case_input,
    case_options,
    case_records,
    comparable,
    spans_against_whole,
    spans_of,
)
from casparian_flow.sentinel.planning.registered import Registered, parser_order, registered_of
from casparian_flow.worker.carrying import MOST_SPANS

SHOWN = 10
EVERY = 2
"""Of the records of a file one in so many is read by itself."""


def try_on_cases(reading: Reading, request: TryParser) -> ParserTest:
    """Run the parser as a run would, but keep nothing; raises NotFound where there is nothing to try it on."""
    parser = registered_of(named_parser(request.parser, reading.home.plugins, reading.cwd))
    tried = [_read(parser, reading.cwd / name, name, request.options) for name in request.files]
    if not request.files or request.cases is not None:
        tried += [_case(parser, case, request.options) for case in _cases(reading, parser, request.cases)]
    return ParserTest(parser=parser.artifact.label, tried=tried)


def _cases(reading: Reading, parser: Registered, named: str | None) -> Sequence[Path]:
    own = Path(parser.artifact.path)
    folder = reading.cwd / named if named is not None else (own if own.is_dir() else own.parent) / "cases"
    found = [case for case in sorted(folder.glob("*/")) if (case / "expected.jsonl").is_file()]
    if not found:
        raise NotFound(
            f"{parser.artifact.name} has no cases",
            where=str(folder),
            why="a case is a folder with input.* and expected.jsonl",
            fix=f"casparian parser test {parser.artifact.name} -i FILE",
        )
    return found


def _case(parser: Registered, case: Path, options: dict[str, str]) -> Tried:
    if not any(file.name.startswith("input") for file in case.iterdir()):
        raise UsageError(f"the case {case.name} has no input", where=str(case))
    given = {**case_options(case), **options}
    trial = _try(parser, case_input(case), given)
    found, expected = collected_of(trial).records(), case_records(case)
    numbered = {record.get("_output", "") for record in expected if record.get("_row") is not None}
    # A parser that does not number its rows gets numbers from the guest, which its cases do not tell.
    found = [record if record["_output"] in numbered else {**record, "_row": None} for record in found]
    rereads = _rereads(parser, case_input(case), given, trial)
    return _tried(case.name, trial, comparable(found), comparable(expected), rereads)


def _read(parser: Registered, path: Path, name: str, options: dict[str, str]) -> Tried:
    trial = _try(parser, path, options)
    return _tried(name, trial, None, None, _rereads(parser, path, options, trial))


def _try(parser: Registered, path: Path, options: dict[str, Any]) -> Trial:
    return try_parser(parser_order(parser, dict(options)), os.fsencode(path), table_from_file_name(path.name))


def _rereads(parser: Registered, path: Path, options: dict[str, Any], trial: Trial) -> list[str]:
    """How records that are read by themselves differ from those of the whole file, of a parser that says none does."""
    if parser.manifest.rereads != "spans" or trial.error is not None:
        return []
    whole = collected_of(trial)
    spans = spans_of(whole)[::EVERY][:MOST_SPANS]
    order = parser_order(parser, dict(options))
    table = table_from_file_name(path.name)
    again = try_parser(order, os.fsencode(path), table, spans=spans, verdicts=trial.verdicts)
    if again.error is not None:
        return [f"- {again.error}"]
    return spans_against_whole(collected_of(again), whole, spans)


def _tried(name: str, trial: Trial, found: list[str] | None, expected: list[str] | None, rereads: list[str]) -> Tried:
    missing = _less(expected or [], found or [])
    unexpected = _less(found or [], expected or [])
    compared = "mismatch" if missing or unexpected else "passed" if expected is not None else "read"
    return Tried(
        name=name,
        outcome="error" if trial.error else "mismatch" if rereads else compared,
        rows={output.table: output.rows - len(output.records) for output in trial.outputs.values()},
        rejected={output.table: len(output.records) for output in trial.outputs.values() if output.records},
        verdicts={note.name: note.value for note in trial.verdicts},
        missing=missing[:SHOWN],
        unexpected=unexpected[:SHOWN],
        rereads=rereads[:SHOWN],
        printed=[line.text for line in trial.printed[:SHOWN]],
        error=str(trial.error) if trial.error else None,
    )


def _less(these: Sequence[str], those: Sequence[str]) -> list[str]:
    """These without those, each as often as it is there more often."""
    return sorted((Counter(these) - Counter(those)).elements())
