"""What only a new process shows: modules in the order in which a command asks for them, hash seeds, and the end.

Commands of other tests are forked off a process that has loaded everything, and leave without taking it to pieces.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from product import SOURCE, Product

FIRST_OF_ALL = """
import os, sys, traceback
from importlib import import_module
for name in sys.argv[1].split(","):
    import_module(name)
for name in sys.argv[2].split(","):
    if child := os.fork():
        if os.waitpid(child, 0)[1]:
            print(name)
        continue
    try:
        import_module(name)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
"""
"""Each module is the first of the product in its process; libraries are there already, without what lies in them."""
LIBRARIES = {"commands": ("click", "msgspec"), "doing": ("msgspec", "sqlalchemy", "pyarrow")}
FOLDERS = {"commands": "clients/cli/commands", "doing": "operations/doing"}


@pytest.mark.parametrize("which", ["commands", pytest.param("doing", marks=pytest.mark.slow)])
def test_each_module_can_be_the_first(which: str) -> None:
    paths = sorted((SOURCE / "casparian_flow" / FOLDERS[which]).rglob("*.py"))
    names = [".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    done = subprocess.run(
        [sys.executable, "-c", FIRST_OF_ALL, ",".join(LIBRARIES[which]), ",".join(names)],
        env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert len(names) > 30
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def sample(folder: Path) -> Path:
    """A few tables; rows that do not fit, columns that only some files have."""
    folder.mkdir()
    for at in range(3):
        (folder / f"sales_{at}.csv").write_text(f"id,amount,city\n{at},1.5,Graz\n{at}1,2.5,Wien\n{at}2,oops,1,x\n")
    (folder / "sales_9.csv").write_text("id,amount,city,note\n9,9.5,Linz,new\n")
    (folder / "people.tsv").write_text("name\tborn\nAnn\t2001-02-03\nBo\t2002-03-04\n")
    (folder / "events.jsonl").write_text('{"at": 1, "what": "open"}\n{"at": 2, "what": "shut", "by": "Ann"}\n')
    return folder


def test_commands_that_begin_cold_answer_and_end_quietly(tmp_path: Path) -> None:
    product = Product(tmp_path / "home", through=("env", "PYTHONWARNINGS=error"))
    (tmp_path / "sales.csv").write_text("id,amount\n1,1.5\n2,2.5\n")
    lines = [
        ["run", str(tmp_path / "sales.csv"), "--json"],
        ["sql", "SELECT count(*) AS n FROM sales", "--json"],
        ["export", "sales", "--to", str(tmp_path / "again.csv"), "--json"],
    ]
    for words in lines:
        answer = product(*words, expect=[0])
        assert answer.json and answer.err == ""


@pytest.mark.slow
def test_hash_seeds_change_no_table_no_digest_and_no_receipt(tmp_path: Path) -> None:
    data, found = sample(tmp_path / "data"), []
    for seed in (1, 2):
        product = Product(tmp_path / str(seed) / "home", through=("env", f"PYTHONHASHSEED={seed}"))
        product.home.parent.mkdir()
        product.run(str(data), "--workers", "1")
        found.append((product.content(), receipts(Product(product.home))))
    (content, facts), (other_content, other_facts) = found
    assert content == other_content
    assert len(facts) == len(list(data.iterdir()))
    assert {name: facts[name] for name in facts if facts[name] != other_facts[name]} == {}


def receipts(product: Product) -> dict[str, Any]:
    """What the receipts of a home say of each file, without what every run has of its own."""
    found = {}
    for job in product("jobs", "--json", expect=[0]).json["jobs"]:
        receipt = product("jobs", "receipt", job["job"], "--json", expect=[0]).json["receipt"]
        for own in ("seconds", "isolation"):
            del receipt[own]
        for output in receipt["outputs"]:
            del output["sink"], output["files"]  # the names of files, and what is in them, carry the job
        found[job["path"]] = receipt
    return found
