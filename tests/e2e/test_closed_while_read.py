"""A column is closed while a worker of the service reads a file: nothing of what that worker says of it is kept."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from planted import places_of
from product import Product, ProductHere

pytestmark = pytest.mark.slow
SECONDS = 60.0
PARSER = """
    import time
    import pyarrow as pa
    from casparian_flow.sdk import Column, PluginMetadata

    MANIFEST = PluginMetadata(pattern="*.staff", outputs={"staff": [Column("name"), Column("pin", "int64")]})

    def parse(path):
        name, pin = path.read_text().split(",")
        print("this is", pin)
        path.with_suffix(".begun").touch()
        while path.stem == "slow" and not path.with_suffix(".go").exists():
            time.sleep(0.02)
        print("this was", pin)
        yield "staff", pa.table({"name": [name], "pin": [pin]})
"""
FIRST, HELD, LATE = "PIN-Alpha-11", "PIN-Beta-2222", "PIN-Gamma-33333"


def wait_for(holds: Callable[[], object], why: str) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, why
        time.sleep(0.02)


def clear_in(product: Product) -> list[str]:
    """Where the values stand that were read while the column was closed; of the first file the rows may stand."""
    roots = [each for each in product.home.iterdir() if each.is_file()]
    return places_of((FIRST, HELD, LATE), roots)


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_what_a_file_said_that_was_read_meanwhile_is_not_kept(
    product_here: ProductHere, tmp_path: Path, mode: str
) -> None:
    product, folder, parser = product_here, tmp_path / "in", tmp_path / "staff.py"
    parser.write_text(textwrap.dedent(PARSER))
    folder.mkdir()
    (folder / "first.staff").write_text(f"ann,{FIRST}")
    product("run", str(folder), "--parser", str(parser), expect=(0, 3))
    drafted = product("contract", "amend", "staff", "--reclassify", "pin=secret", "--json", expect=(0,)).json
    (folder / "held.staff").write_text(f"bob,{HELD}")
    (folder / "slow.staff").write_text(f"cat,{LATE}")
    service = product.start("start", "--workers", "1")
    running = None
    try:
        wait_for((product.home / "sentinel.json").exists, "no service")
        running = product.start("run", str(folder), "--parser", str(parser), "--mode", mode, "--server", "--json")
        wait_for((folder / "slow.begun").exists, "the file is not read")
        (folder / "slow.begun").unlink()
        product("approve", drafted["proposal"]["id"], "--reason", "ticket 7", "--server", "--no-wait", expect=(0, 1, 3))
        (folder / "slow.go").touch()
        out, err = running.communicate(timeout=SECONDS)
        assert running.returncode in (0, 3), (out, err)
    finally:
        (folder / "slow.go").touch()
        for process in (running, service):
            if process is not None and process.poll() is None:
                process.terminate()
                process.communicate(timeout=SECONDS)
    assert clear_in(product) == []
    assert (folder / "slow.begun").exists(), "it is read again"
