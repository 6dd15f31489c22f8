"""A rehearsal comes to what the job came to, digest by digest, and leaves nothing anywhere."""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from sqlalchemy import select

from casparian_flow.core.drift import BUILT_IN
from casparian_flow.core.errors import ParserFailed, SourceChanged
from casparian_flow.core.outputs import Role
from casparian_flow.lab.rehearsal import Rehearsed, rehearse
from casparian_flow.operations.doing.rehearsal.read_before import ReadBefore, read_before
from casparian_flow.publish.discover import shipped_parsers
from casparian_flow.sentinel.planning.registered import parser_order
from casparian_flow.settings import Home
from casparian_flow.store.contracts import in_force
from casparian_flow.store.engine import open_read_only
from casparian_flow.store.tables import jobs, materializations
from product import Product
from shipped_parser import PARSERS

pytestmark = pytest.mark.usefixtures("warm_guests")

CASES = {
    "database/sqlite": "types",
    "generic/delimited": "uneven-rows",
    "generic/json": "records",
    "generic/jsonl": "damage",
    "generic/lines": "one_broken_line",
    "logs/syslog": "bsd",
    "logs/w3c": "iis",
    "logs/web_access": "common_and_combined",
    "logs/web_error": "apache",
    "windows/evtx": "sound",
}
"""A case of each shipped parser, damaged ones where there are any: quarantine has digests, too."""


def corpus(folder: Path) -> Path:
    """The input of each of these cases under a name that says whose it is."""
    folder.mkdir()
    for parser, case in CASES.items():
        source = next((PARSERS / parser / "cases" / case).glob("input.*"))
        shutil.copyfile(source, folder / f"{parser.replace('/', '_')}{source.suffix}")
    return folder


def tree(folder: Path) -> dict[str, str]:
    """The content of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def what_jobs_came_to(state: Path) -> tuple[list[ReadBefore], dict[int, dict[str, str]]]:
    """What every job of a home read, and by job the digest of its rows of each table."""
    digests: dict[int, dict[str, str]] = defaultdict(dict)
    with open_read_only(state) as connection:
        for row in connection.execute(select(materializations).where(materializations.c.accepted > 0)):
            digests[row.job_id][row.table_name] = row.row_digest
        return read_before(connection, list(connection.execute(select(jobs.c.id)).scalars())), digests


def rehearsed(home: Path, read: ReadBefore, scratch: Path) -> Rehearsed:
    with open_read_only(Home(home).state) as connection:
        contracts = in_force(connection)
    return rehearse(parser_order(read.parser, read.options), read.bytes, contracts, BUILT_IN, (), scratch)


@pytest.mark.slow
def test_a_rehearsal_has_the_digests_of_the_job_for_every_shipped_parser(product: Product, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    product.run(str(folder))
    state = Home(product.home).state
    read, digests = what_jobs_came_to(state)
    assert {each.parser.artifact.name for each in read} == {each.artifact.name for each in shipped_parsers()}
    before = tree(product.home)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for each in read:
        found = rehearsed(product.home, each, scratch)
        assert each.is_retained
        assert found.digests == digests[each.job]
        assert {t for t, rows in found.accepted.items() if rows.num_rows} == found.digests.keys()
        for table, rows in found.rejected.items():
            landed = product.table(table, Role.QUARANTINE)
            mine = [job == each.job for job in landed["_cf_job_id"].to_pylist()]
            assert rows.num_rows == sum(mine), table
    assert tree(product.home) == before
    assert not list(scratch.iterdir())


def test_a_file_that_changed_since_its_job_is_not_rehearsed(product_here: Product, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("n,text\n1,x\n2,y\n")
    product_here.run(str(folder))
    [read], _ = what_jobs_came_to(Home(product_here.home).state)
    (folder / "a.csv").write_text("n,text\n1,x\n2,y\n3,z\n")
    with pytest.raises(SourceChanged):
        rehearsed(product_here.home, read, tmp_path)


def test_a_parser_that_raises_is_the_error_of_the_rehearsal(product_here: Product, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    plugin = tmp_path / "raises.py"
    plugin.write_text(
        "from casparian_flow.sdk import PluginMetadata\n"
        'MANIFEST = PluginMetadata(version="1", pattern="*.txt")\n'
        "def parse(path, context):\n"
        '    raise ValueError("no")\n'
        "    yield\n"
    )
    product_here.run(str(folder), "--parser", str(plugin), expect=(1, 3))
    [read, *_], _ = what_jobs_came_to(Home(product_here.home).state)
    with pytest.raises(ParserFailed, match="no"):
        rehearsed(product_here.home, read, tmp_path)
