"""What lies in scratch while files are read is in clear: it is gone with every end of their jobs."""

from __future__ import annotations

import os
import signal
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from planted import places_of
from product import Product, ProductHere

SECONDS = 60.0
SECRET = "SSN-Alpha-0417"
SLOW = """
    import time
    from pathlib import Path
    from casparian_flow.sdk import Column, PluginMetadata

    MANIFEST = PluginMetadata(pattern="*.slow", outputs={"slow": [Column("ssn", sensitivity="secret")]})

    def parse(path):
        Path("note").write_text(path.read_text())
        yield "slow", [{"ssn": path.read_text().strip()}]
        (path.parent / "begun").touch()
        while not (path.parent / "go").exists():
            time.sleep(0.01)
"""


def wait_for(holds: Callable[[], object], why: str) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, why
        time.sleep(0.02)


def test_rows_of_a_table_that_waits_for_a_person_lie_nowhere(product_here: ProductHere, tmp_path: Path) -> None:
    product, folder = product_here, tmp_path / "in"
    folder.mkdir()
    (folder / "pay_1.csv").write_text("id,ssn,amount\n1,SSN-First-0001,5\n")
    product("run", str(folder), expect=[0])
    hidden = product("contract", "amend", "pay", "--reclassify", "ssn=secret", "--json", expect=[0]).json
    product("approve", hidden["proposal"]["id"], "--reason", "ticket 7", expect=[0])
    (folder / "pay_2.csv").write_text(f"ref,ssn,u,v,w,x,y,z\n5,{SECRET},9,1,2,3,4,5\n")
    held = product("run", str(folder), "--set", "governance.first_contract=hold", "--json")
    (waiting,) = [
        each for each in product("approval", "list", "--json").json["proposals"] if each["kind"] == "contract"
    ]
    assert places_of([SECRET], [product.home], [held.out, held.err]) == []
    product("approve", waiting["id"], "--reason", "ticket 8", expect=[0])
    product("run", str(folder), expect=[0])
    (founded,) = [name for name in product.tables() if name.startswith("pay__")]
    assert [len(row["ssn"]) for row in product.table(founded).to_pylist()] == [32], "its file was read again"
    assert places_of([SECRET], [product.home]) == []


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_a_run_that_is_stopped_left_is_gone_with_it_or_with_the_next(
    product: Product, tmp_path: Path, sent: signal.Signals
) -> None:
    folder, parser = tmp_path / "in", tmp_path / "slow.py"
    folder.mkdir()
    parser.write_text(textwrap.dedent(SLOW))
    (folder / "one.slow").write_text(f"{SECRET}\n")
    process = product.start("run", str(folder), "--parser", str(parser))
    try:
        wait_for((folder / "begun").exists, "the parser did not begin")
        assert places_of([SECRET], [product.home]), "while it works it is there"
        process.send_signal(sent)
        process.communicate(timeout=SECONDS)
    finally:
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
    if sent != signal.SIGKILL:
        assert places_of([SECRET], [product.home]) == []
    (folder / "go").touch()
    product("run", str(folder), "--parser", str(parser), expect=[0])
    assert places_of([SECRET], [product.home]) == []
    assert product.table("slow").num_rows == 1


CLASSED = """
[[table]]
name = "pay"

[[table.column]]
name = "id"
type = "int64"

[[table.column]]
name = "ssn"
type = "string"
sensitivity = "secret"
"""


def test_who_says_the_class_while_a_first_contract_waits_leaves_no_value_of_the_draft(
    product_here: ProductHere, tmp_path: Path
) -> None:
    product, folder = product_here, tmp_path / "in"
    folder.mkdir()
    numbers = "".join(f"{row},771234{row}\n" for row in range(10, 40))
    (folder / "pay.csv").write_text(f"id,ssn\n{numbers}40,{SECRET}\n")
    product("run", str(folder), "--set", "governance.first_contract=hold")
    assert places_of([SECRET], [product.home]), "the draft says which value kept it from being a number"
    (tmp_path / "pay.toml").write_text(CLASSED)
    product("contract", "import", str(tmp_path / "pay.toml"), "--reason", "ticket 7", expect=[0])
    proposals = product("approval", "list", "--json").json["proposals"]
    product("approve", proposals[0]["id"], "--reason", "ticket 7", expect=[0])
    assert places_of([SECRET], [product.home]) == []
    product("run", str(folder), expect=[0])
    assert {len(value) for value in product.table("pay")["ssn"].to_pylist()} == {32}
    assert places_of([SECRET], [product.home]) == []
