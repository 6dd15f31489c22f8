"""A home from Python: the same operations as the command, answers with their true types."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import fields

import casparian_flow as cf
from casparian_flow.clients.api.home import Selection
from casparian_flow.core.errors import ConfigError, HomeBusy, NotFound, PlanStale, UsageError
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.sentinel.console.guard import QueryRefused
from casparian_flow.sentinel.home_lock import hold

pytestmark = pytest.mark.usefixtures("warm_guests")

SOURCE = Path(__file__).parents[3] / "src"


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "orders_1.csv").write_text("id,day,price\n1,2024-01-31,1.50\n2,2024-02-01,x\n3\n", encoding="utf-8")
    (folder / "orders_2.csv").write_text("id,day,price\n4,2024-02-02,2.25\n", encoding="utf-8")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> cf.Home:
    return cf.open(tmp_path / "home")


def test_a_run_lands_tables_that_a_query_gives_back_as_arrow(home: cf.Home, exports: Path) -> None:
    events: list[str] = []
    reply = home.run(exports, progress=lambda event, _values: events.append(event))
    assert (reply.outcome, reply.accepted, reply.quarantined) == ("quarantined", 3, 1)
    assert [(table.table, table.files) for table in reply.tables] == [("orders", 2)]
    assert events[-1] == "run.finished" and "jobs.queued" in events
    answer = home.sql("SELECT id, day, price FROM orders ORDER BY id")
    assert answer.schema.types == [pa.int64(), pa.date32(), pa.string()]
    assert answer["day"].to_pylist() == [date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2)]
    assert home.sql("SELECT code FROM quarantine.orders").to_pylist() == [{"code": "cf.csv.arity"}]
    assert {"orders", "quarantine.orders", "cf_processing_queue"} <= {each.table for each in home.tables()}


def test_a_second_run_skips_what_is_up_to_date(home: cf.Home, exports: Path) -> None:
    assert home.scan(exports).entries == 2
    assert home.plan(exports).counts == {"run new": 2}
    home.run(exports)
    assert home.run(exports).skipped == {"up_to_date": 2}
    assert home.run(exports, force=True).completed == 2


def test_a_plan_is_run_as_it_is_or_refused(home: cf.Home, exports: Path) -> None:
    plan = home.plan(exports, table="sales").plan
    assert home.run(plan=plan).tables[0].table == "sales"
    with pytest.raises(PlanStale):
        home.run(plan=plan)


def test_selection_options_are_those_of_the_command(home: cf.Home, exports: Path, tmp_path: Path) -> None:
    reply = home.run(
        exports / "orders_2.csv", parser="delimited", options={"header": False}, sink=f"parquet://{tmp_path}/out"
    )
    assert (reply.accepted, list(reply.sinks)) == (2, [f"parquet://{tmp_path}/out"])
    for wrong in ({"mode": "sideways"}, {"tabel": "x"}, {"workers": "many"}):
        with pytest.raises(UsageError, match="does not fit"):
            home.run(exports, **wrong)
    with pytest.raises(NotFound):
        home.run(tmp_path / "missing")


def test_every_option_of_a_selection_is_offered() -> None:
    offered = {"sinks" if name == "sink" else name for name in Selection.__annotations__}
    assert offered == {field.name for field in fields(MakePlan)} - {"paths"}


def test_an_answer_is_whole_unless_rows_are_counted(home: cf.Home) -> None:
    whole = home.sql("SELECT range AS n FROM range(1100000)")
    assert whole.num_rows == 1_100_000
    assert home.sql("SELECT range AS n FROM range(1000)", max_rows=7)["n"].to_pylist() == list(range(7))


def test_types_of_an_answer_are_the_engines(home: cf.Home) -> None:
    answer = home.sql(
        "SELECT 1.50::DECIMAL(9,2) AS d, TIMESTAMP_NS '2024-01-02 03:04:05.123456789' AS at, NULL::INTEGER AS n, "
        "[1, 2] AS l, {'a': 'x'} AS s, 'NaN'::DOUBLE AS f"
    )
    assert [str(kind) for kind in answer.schema.types] == [
        "decimal128(9, 2)",
        "timestamp[ns]",
        "int32",
        "list<l: int32>",
        "struct<a: string>",
        "double",
    ]


def test_a_query_that_writes_is_refused(home: cf.Home, tmp_path: Path) -> None:
    with pytest.raises(QueryRefused):
        home.sql(f"COPY (SELECT 1) TO '{tmp_path}/x.csv'")
    assert not (tmp_path / "x.csv").exists()


def test_a_home_that_another_process_changes_is_busy(home: cf.Home, exports: Path) -> None:
    home.scan(exports)
    with hold(home.path / "lock"), pytest.raises(HomeBusy):
        home.run(exports)
    assert home.sql("SELECT count(*) AS files FROM scout_sources").num_rows == 1


def test_a_closed_home_answers_nothing(home: cf.Home, exports: Path) -> None:
    with home as opened:
        opened.scan(exports)
    for ask in (home.tables, home.scan, lambda: home.sql("SELECT 1")):
        with pytest.raises(UsageError, match="closed"):
            ask()


def test_settings_are_checked_and_override_the_homes(tmp_path: Path, exports: Path) -> None:
    with pytest.raises(ConfigError):
        cf.open(tmp_path / "home", settings={"run.worker": "1"})
    held = cf.open(tmp_path / "home", settings={"governance.first_contract": "hold"})
    assert held.run(exports).outcome == "approval"


def test_a_home_is_found_as_the_command_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".casparian").mkdir()
    monkeypatch.delenv("CASPARIAN_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert cf.open().path == tmp_path / ".casparian"
    assert cf.open("other").path == tmp_path / "other"
    assert repr(cf.open("other")) == f"casparian_flow.open('{tmp_path}/other')"


PANDAS_AFTER_A_RUN = """
import sys
import casparian_flow as cf
home = cf.open(sys.argv[1])
home.run(sys.argv[2])
frame = home.sql("SELECT id FROM orders").to_pandas()
print(len(frame), sorted(cf.read(sys.argv[2] + "/orders_2.csv").table.to_pandas()))
"""


@pytest.mark.slow
def test_pandas_is_still_to_be_had_after_a_run(tmp_path: Path, exports: Path) -> None:
    environment: dict[str, Any] = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]}
    arguments = [sys.executable, "-c", PANDAS_AFTER_A_RUN, str(tmp_path / "home"), str(exports)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=100)
    assert done.stdout == "3 ['day', 'id', 'price']\n", done.stderr
