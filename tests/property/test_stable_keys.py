"""Keys are the same in every process, whatever order that process keeps its sets in: else work would be done again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = """
import json, sys
from pathlib import Path
import pyarrow as pa
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.keys import materialization_key, output_target_key
from casparian_flow.core.tables import shape_suffix
from casparian_flow.publish.artifact import artifact_hash, environment_hash
from casparian_flow.publish.discover import shipped_parsers
from casparian_flow.schema.digest import RowDigest
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.survey import Survey

names = {"amount", "when", "who", "id", "note"}  # a set: its order changes from process to process
table = Contract("sales", 1, tuple(ContractColumn(name, "string") for name in sorted(names)))
target = output_target_key("parquet:///out", "sales", table.hash, "append")
options = dict.fromkeys(names, "x")
batch = pa.record_batch({name: pa.array(["1", "x", None]) for name in sorted(names)})
rows = RowDigest()
rows.update(batch)
survey = Survey.empty()
for at in set(range(3)):
    survey.add(batch.slice(at, 1), pa.array([at + 1]), "f")
shipped = {found.manifest.name: found.artifact for found in shipped_parsers()}
delimited = shipped["delimited"]
print(json.dumps({
    "contract": table.hash,
    "target": target,
    "config": digest_of_json(options),
    "shape": shape_suffix(names),
    "rows": rows.hex(),
    "survey": digest_of_json(survey.to_bytes().hex()),
    "drafted": draft_contract("sales", survey).hash,
    "artifacts": sorted(each.artifact_hash for each in shipped.values()),
    "environment": environment_hash(list({"numpy", "evtx", "orjson"})),
    "materialization": materialization_key(
        target, "blake3:00", delimited.artifact_hash, delimited.env_hash, table.hash, digest_of_json(options)
    ),
}))
"""
PINNED = {
    "contract": "blake3:46f74fa4733d4949d6aff91351c2dd6ff7203c78cab0bdfdd1da54509a54ef70",
    "target": "blake3:1483d149a74448dcb64515358e57539bbc04f0112c4b8cfb72d18ed999622872",
    "config": "blake3:39dec61bb440c8b0a12a8efcf50aa388478e6f3ced237f9e2e9ad2b45cfbf354",
    "shape": "8e3639",
    "rows": "blake3:4430a1bbc33f401c1362863ed35d6170b91d01b42c2c163386f4501b93730c47",
}
"""Homes hold these: if one changes, every home reads all of its files again, or doubts its rows."""


def keys(seed: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", KEYS],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.invariant(6)
def test_keys_are_the_same_in_every_process_and_in_every_release() -> None:
    first = keys("0")
    assert keys("12345") == first
    assert {name: first[name] for name in PINNED} == PINNED
