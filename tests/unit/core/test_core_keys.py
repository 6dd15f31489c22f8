"""Keys change with everything that they stand for, and with nothing else."""

from __future__ import annotations

import inspect

import pytest

from casparian_flow.core.hashing import digest_of, digest_of_file, digest_of_json, digest_of_manifest
from casparian_flow.core.keys import materialization_key, output_target_key
from casparian_flow.core.quarantine import group_reference


@pytest.mark.parametrize("function", [output_target_key, materialization_key, group_reference])
def test_every_part_of_a_key_counts_and_so_does_its_place(function):
    parts = [f"p{number}" for number in range(len(inspect.signature(function).parameters))]
    base = function(*parts)
    assert function(*parts) == base
    for at in range(len(parts)):
        assert function(*[*parts[:at], "other", *parts[at + 1 :]]) != base
    assert function(*reversed(parts)) != base
    moved = [parts[0] + parts[1][:1], parts[1][1:], *parts[2:]]
    assert function(*moved) != base


def test_a_target_is_never_a_materialization():
    assert digest_of_json(["target"]) != digest_of_json(["materialization"])


def test_canonical_json_does_not_depend_on_the_order_of_keys():
    assert digest_of_json({"a": 1, "b": [1, 2]}) == digest_of_json({"b": [1, 2], "a": 1})
    assert digest_of_json([1, 2]) != digest_of_json([2, 1])
    assert digest_of_json("1") != digest_of_json(1)


def test_a_manifest_is_not_a_concatenation():
    assert digest_of_manifest([("a", b"bc")]) != digest_of_manifest([("ab", b"c")])
    assert digest_of_manifest([("a", b"1"), ("b", b"2")]) == digest_of_manifest([("b", b"2"), ("a", b"1")])
    assert digest_of_manifest([("a", b"1"), ("b", b"2")]) != digest_of_manifest([("a", b"2"), ("b", b"1")])


@pytest.mark.parametrize("data", [b"", b"abc", b"x" * 1_000_000])
def test_a_file_has_the_digest_of_its_bytes(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    assert digest_of_file(path) == digest_of(data)
    assert digest_of(data[:1], data[1:]) == digest_of(data)
    assert digest_of(data).startswith("blake3:")
