"""The key of a home's pseudonyms: lost or replaced, no row is written under another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from planted import places_of
from product import ProductHere, ask_here

PARSER = """
from casparian_flow.sdk import Column, PluginMetadata

MANIFEST = PluginMetadata(pattern="*.ids", outputs={"ids": [Column("ssn", sensitivity="secret")]})

def parse(path):
    yield "ids", [{"ssn": line} for line in path.read_text().splitlines()]
"""


def test_without_its_key_a_home_writes_no_pseudonym_and_goes_on_with_a_copy(
    product_here: ProductHere, tmp_path: Path
) -> None:
    parser, folder, key = tmp_path / "ids.py", tmp_path / "in", product_here.home / "pseudonym.key"
    parser.write_text(PARSER)
    folder.mkdir()
    (folder / "a.ids").write_text("SSN-Alpha-0417\n")
    product_here("run", str(folder), "--parser", str(parser), expect=(0,))
    copy = key.read_bytes()
    key.unlink()
    (folder / "b.ids").write_text("SSN-Alpha-0417\n" * 2)
    refused = product_here("run", str(folder), "--parser", str(parser), expect=(1, 3))
    assert "the key of this home's pseudonyms is gone" in refused.out + refused.err
    assert not key.exists() and product_here.table("ids").num_rows == 1
    key.write_bytes(copy)
    key.chmod(0o600)
    product_here("run", str(folder), "--parser", str(parser), expect=(0,))
    assert len(set(product_here.table("ids")["ssn"].to_pylist())) == 1, "equal values stay equal"
    assert places_of(["SSN-Alpha-0417"], [product_here.home]) == []


@pytest.mark.slow
def test_every_case_has_a_key_of_its_own_and_takes_no_other(product_here: ProductHere, tmp_path: Path) -> None:
    parser = tmp_path / "ids.py"
    parser.write_text(PARSER)
    values, homes = [], []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.ids").write_text("SSN-Alpha-0417\n")
        case = ProductHere(folder / ".casparian")
        ask_here("init", cwd=folder, expect=(0,))
        case("run", str(folder), "--parser", str(parser), expect=(0,))
        values.append(case.table("ids")["ssn"].to_pylist())
        homes.append(case.home)
    assert values[0] != values[1]
    (homes[1] / "pseudonym.key").write_bytes((homes[0] / "pseudonym.key").read_bytes())
    (tmp_path / "two" / "b.ids").write_text("SSN-Beta-2210\n")
    refused = ProductHere(homes[1])("run", str(tmp_path / "two"), "--parser", str(parser), expect=(1, 3))
    assert "is another one than before" in refused.out + refused.err
