"""Demo: a folder of messy files, and the commands that show what the product makes of them."""

from __future__ import annotations

from casparian_flow.core.errors import UsageError
from casparian_flow.lab.corpus import CORPUS, EDITED, NEW_LINE, make_corpus
from casparian_flow.operations.local import Local
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class MakeDemo(Request, frozen=True, kw_only=True):
    """The folder to make it in: a new one, or one that is empty."""

    folder: str


class Step(Reply, frozen=True, kw_only=True):
    """One step of the journey: a command with what it must say and its exit code, or a line added to a file."""

    says: str
    words: tuple[str, ...] = ()
    exit_code: int = 0
    shows: tuple[str, ...] = ()
    appends: str = ""
    to: str = ""


class DemoMade(Reply, frozen=True, kw_only=True):
    """What was made. The steps are to be taken in order, in the folder; `init` makes its home there."""

    folder: str
    steps: list[Step]


JOURNEY = (
    Step(
        says="Everything about this case is kept beside it.",
        words=("init",),
        shows=(".casparian",),
    ),
    Step(
        says="A directory becomes tables. Rows that do not fit are kept aside, so the exit code is 3.",
        words=("run", CORPUS),
        exit_code=3,
        shows=("orders", "events", "stock__items", "same_bytes"),
    ),
    Step(
        says="Every file has a state and a reason: same bytes, a pipe, an empty file, a name that attacks terminals.",
        words=("files",),
        shows=("same bytes as", "a named pipe is never opened", "the file is empty", r"orders\x1b[31m"),
    ),
    Step(
        says="Nothing was dropped or repaired in silence: what did not fit is in quarantine, by cause.",
        words=("quarantine",),
        shows=("cf.csv.arity", "cf.csv.quote", "cf.json.syntax"),
    ),
    Step(
        says="The whole story of one record: file, parser, job, and why it is where it is.",
        words=("why", f"{CORPUS}/orders_2026-03-02.csv:5"),
        shows=("cf.csv.arity",),
    ),
    Step(
        says="The tables can be queried at once; types were inferred from all values.",
        words=(
            "sql",
            "SELECT region, count(*) AS n, round(sum(amount), 2) AS amount FROM orders GROUP BY 1 ORDER BY 1",
        ),
        shows=("north", "south", "west"),
    ),
    Step(
        says="A second run reads nothing, because nothing changed.",
        words=("run", CORPUS),
        shows=("0 run", "up_to_date"),
    ),
    Step(
        says="One file grows by a line.",
        appends=NEW_LINE,
        to=f"{CORPUS}/{EDITED}",
    ),
    Step(
        says="Only that file is read again.",
        words=("run", CORPUS),
        shows=("1 run", "1 completed"),
    ),
    Step(
        says="The new row leads back to its job, parser, file version and bytes.",
        words=("trace", f"{CORPUS}/{EDITED}:41"),
        shows=("blake3:", "delimited@"),
    ),
    Step(
        says="The control tables say the same: each job, and the reason for which it ran.",
        words=("sql", "SELECT reason, state, count(*) AS jobs FROM cf_processing_queue GROUP BY ALL ORDER BY ALL"),
        shows=("bytes_changed", "new", "completed"),
    ),
)


def demo(local: Local, request: MakeDemo) -> DemoMade:
    """Make the corpus; raises UsageError for a folder that has something in it."""
    folder = local.cwd / request.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError("the folder is not empty", where=str(folder), fix="choose a new folder")
        make_corpus(folder / CORPUS)
    except OSError as exc:
        raise UsageError(
            "the demo cannot be made there",
            where=str(folder),
            why=exc.strerror or str(exc),
            fix="choose another folder",
        ) from exc
    return DemoMade(folder=str(folder.resolve()), steps=list(JOURNEY))


OPERATIONS = (
    Operation("demo", MakeDemo, DemoMade, Effect.EXECUTE, demo, "Make a folder of messy files.", is_local=True),
)
