"""The journeys of the demo: commands in their order, and what each must say."""

from __future__ import annotations

from casparian_flow.lab.corpora import DemoKind
from casparian_flow.lab.corpus import CORPUS, EDITED, NEW_LINE
from casparian_flow.operations.registry import Reply


class Step(Reply, frozen=True, kw_only=True):
    """One step of the journey: a command with what it must say and its exit code, or a line added to a file."""

    says: str
    words: tuple[str, ...] = ()
    exit_code: int = 0
    shows: tuple[str, ...] = ()
    appends: str = ""
    to: str = ""


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

_INIT = JOURNEY[0]
_AGAIN = Step(
    says="A second run reads nothing, because nothing changed.",
    words=("run", CORPUS),
    shows=("0 run", "up_to_date"),
)
CSV = (
    _INIT,
    Step(
        says="What the columns of one file can be, by all its values: 02.03.2026 rules out every other type.",
        words=("infer", f"{CORPUS}/prices.csv", "--column", "valid_from", "--explain"),
        shows=("date %d.%m.%Y", "row 1 is"),
    ),
    Step(
        says="Half-broken exports become tables. Rows that do not fit are kept aside, so the exit code is 3.",
        words=("run", CORPUS),
        exit_code=3,
        shows=("orders", "prices", "staff"),
    ),
    Step(
        says="What did not fit, by cause; nothing was padded, cut or dropped.",
        words=("quarantine",),
        shows=("cf.csv.arity", "cf.csv.quote"),
    ),
    Step(
        says="One of these records: what was wrong, where, and its bytes as they are.",
        words=("why", f"{CORPUS}/orders_2026-03-02.csv:5"),
        shows=("cf.csv.arity", "9 fields where the table has 5"),
    ),
    Step(says="A file grows by a line.", appends=NEW_LINE, to=f"{CORPUS}/{EDITED}"),
    Step(says="Only that file is read again.", words=("run", CORPUS), shows=("1 run", "1 completed")),
    Step(
        says="Both versions of it are known, and the rows that each brought.",
        words=("files", "versions", f"{CORPUS}/{EDITED}"),
        shows=("current", "blake3:", "orders"),
    ),
)
LOGS = (
    _INIT,
    Step(
        says="Each file's first bytes say which kind of log it is, whatever its name.",
        words=("scan", CORPUS),
        shows=("syslog", "web_access", "jsonl"),
    ),
    Step(
        says="Log lines become tables, one for each kind. Lines that do not fit are kept aside, so the exit code is 3.",
        words=("run", CORPUS),
        exit_code=3,
        shows=("syslog", "web_access", "iis", "events"),
    ),
    Step(
        says="Lines that were cut while they were written are in quarantine, not lost.",
        words=("quarantine",),
        shows=("cf.json.syntax", "cf.log.line"),
    ),
    Step(
        says="Failed logins by host, from files that a moment ago were text.",
        words=(
            "sql",
            "SELECT hostname, count(*) AS failed FROM syslog WHERE message LIKE 'Failed password%' GROUP BY hostname",
        ),
        shows=("gate", "30"),
    ),
    _AGAIN,
)
DFIR = (
    Step(
        says="Everything about this case is kept beside it, with its name and who examines it.",
        words=("init", "--name", "Case 12", "--examiner", "Ann Lee"),
        shows=("Case 12", "Ann Lee"),
    ),
    Step(
        says="What is there, hashed; evidence is only ever read.",
        words=("scan", CORPUS, "--sha256"),
        shows=("evtx", "sqlite", "symlink_loop"),
    ),
    Step(
        says="An archive is listed without unpacking it: one member would leave its folder.",
        words=("inspect", f"{CORPUS}/upload.zip", "--archive"),
        shows=("leads out of its folder",),
    ),
    Step(
        says="Event logs, a database with its write-ahead log and a system log become tables.",
        words=("run", CORPUS),
        shows=("evtx_events", "stock__items", "syslog"),
    ),
    Step(
        says="Every file has a state and a reason: a pipe, a loop, an archive, a name that attacks terminals.",
        words=("files",),
        shows=("a named pipe is never opened", "the link leads back to itself", r"orders\x1b[31m"),
    ),
    Step(
        says="Each row leads back to the bytes that it came from.",
        words=("trace", f"{CORPUS}/auth.log:1"),
        shows=("blake3:", "syslog@"),
    ),
    _AGAIN,
    Step(
        says="What the case holds, and what it takes on disk.",
        words=("case", "show"),
        shows=("Ann Lee", "evtx_events", "disk"),
    ),
)
JOURNEYS = {DemoKind.CSV: CSV, DemoKind.LOGS: LOGS, DemoKind.DFIR: DFIR}
"""Those of the kinds other than the mixed one, whose journey is `JOURNEY`."""
