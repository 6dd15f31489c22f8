"""How what `operations.home.explain` names is done."""

from __future__ import annotations

import difflib

from casparian_flow.core.errors import NotFound, every_error
from casparian_flow.core.reasons import RunReason
from casparian_flow.manual.entries import Entry, entries
from casparian_flow.operations.home.explain import CodeEntry, CodeList, Explain, Explanation, ListCodes
from casparian_flow.operations.local import Local

WITHOUT_CLASS = {
    "interrupted": (130, True),
    "crash": (1, False),
    "gave-up": (3, True),
    "parser-paused": (3, True),
}
"""Exit code and hope of the errors that are not raised by us, or that only jobs end with."""


def explain(_local: Local, request: Explain) -> Explanation:
    """The long form; raises NotFound, with the code that was probably meant. `-` and `_` count as the same."""
    known = entries()
    wanted = request.code.strip().lower()
    by_form = {_form(code): entry for code, entry in known.items()}
    entry = known.get(wanted) or by_form.get(_form(wanted))
    if entry is None:
        close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
        raise NotFound(
            f"there is no code {request.code!r}",
            why=f"did you mean {close[0]}?" if close else "",
            fix=f"casparian explain {close[0]}" if close else "casparian explain",
        )
    exit_code, can_retry = _ending(entry)
    runs = entry.code in set(RunReason)
    return Explanation(
        code=entry.code,
        kind=entry.kind,
        meaning=entry.meaning,
        causes=list(entry.causes),
        steps=list(entry.steps),
        exit_code=exit_code,
        can_retry=can_retry,
        action=("run" if runs else "skip") if entry.kind == "reason" else None,
    )


def list_(_local: Local, _request: ListCodes) -> CodeList:
    """Every code with its meaning."""
    return CodeList(
        codes=[CodeEntry(code=entry.code, kind=entry.kind, meaning=entry.meaning) for entry in entries().values()]
    )


def _form(code: str) -> str:
    return code.replace("-", "_")


def _ending(entry: Entry) -> tuple[int | None, bool | None]:
    if entry.kind != "error":
        return None, None
    if entry.code in WITHOUT_CLASS:
        return WITHOUT_CLASS[entry.code]
    error = next(each for each in every_error() if each.code == entry.code)
    return error.exit_code, error.transient
