"""A proposed change in words."""

from __future__ import annotations

from collections.abc import Iterator

from casparian_flow.core.amendment_text import described, verb_of
from casparian_flow.core.amendments import Add, Narrow, Widen
from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.hashing import PREFIX
from casparian_flow.core.proposal_bodies import Activation, Amendment, Body, FirstContract

MOST_STEPS = 3
_SHORT = 8


def what(body: Body) -> str:
    """The change in one line."""
    if isinstance(body, FirstContract):
        count = len(body.contract.columns)
        if body.contract.takes_undeclared:
            if not body.contract.table:
                return "outputs that are not declared, beyond those with a draft of their own"
            columns = f"{count} {'column' if count == 1 else 'columns'}" if count else "not drafted"
            return f"table of an output that is not declared, {columns}"
        return f"first contract, {count} {'column' if count == 1 else 'columns'}"
    said = [says for _, says in steps(body)]
    more = f" and {len(said) - MOST_STEPS} more" if len(said) > MOST_STEPS else ""
    return ", ".join(said[:MOST_STEPS]) + more


def unit(body: Body) -> str:
    """What is counted of its evidence: a `value` that stands in a file, or a `row`."""
    is_of_values = isinstance(body, Amendment) and any(
        isinstance(each, Add | Widen | Narrow) for each in body.operations
    )
    return "value" if is_of_values else "row"


def steps(body: Body) -> Iterator[tuple[str, str]]:
    """Each step of the change: what kind it is, and what it says."""
    match body:
        case FirstContract():
            if body.contract.takes_undeclared:
                yield "takes", f"takes what {', '.join(body.contract.takes_undeclared)} brings without declaring it"
            for column in body.contract.columns:
                yield "column", column_text(column)
        case Amendment():
            for operation in body.operations:
                yield verb_of(operation), described(operation)
        case Activation():
            digest = body.artifact_hash.removeprefix(PREFIX)[:_SHORT]
            yield "activate", f"{body.parser}@{body.version}+{digest}"
        case _:
            if body.entries:
                causes = sorted({each.cause for each in body.entries})
                jobs = len({each.job for each in body.entries})
                yield "entries", f"{', '.join(causes)} as {jobs} {'job' if jobs == 1 else 'jobs'} read it"
            for name, value in sorted(body.options.items()):
                yield "option", f"with {name}={value}"
            if body.sources:
                yield "sources", f"all rows of {len(body.sources)} {'file' if len(body.sources) == 1 else 'files'}"


def column_text(column: ContractColumn) -> str:
    """A column as `name type`, and what is special about it."""
    special = ["" if column.nullable else "not null", column.format or ""]
    if column.sensitivity not in ("internal", "public"):
        special.append(column.sensitivity)
    return " ".join(filter(None, [column.name, column.type, *special]))
