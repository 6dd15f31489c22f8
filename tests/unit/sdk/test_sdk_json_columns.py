"""JSON objects as columns of tagged text."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.sdk import json_columns
from casparian_flow.sdk.emit import FIELD_ENCODING, FIELD_ORIGINAL
from casparian_flow.sdk.json_columns import JsonColumns

_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(['"', "\\", '{"a":1}', "},"])
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)
_KEYS = st.text(max_size=4).filter(lambda key: key and not key.casefold().startswith("_cf_"))


def _rows(texts: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in texts]
    for batch, members in JsonColumns().batches(pa.array(texts, pa.string())):
        for name in batch.schema.names:
            for at, cell in zip(members.tolist(), batch.column(name).to_pylist(), strict=True):
                if cell is not None:
                    rows[at][name] = cell
    return rows


def _value(cell: str) -> Any:
    return cell[1:] if cell.startswith('"') else json.loads(cell)


@settings(max_examples=100, deadline=None)
@given(
    objects=st.lists(st.dictionaries(_KEYS, _VALUES, max_size=5), min_size=1, max_size=6),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "  : ")]),
    ascii_only=st.booleans(),
)
def test_every_value_comes_back(objects: list[dict[str, Any]], separators: tuple[str, str], ascii_only: bool) -> None:
    texts = [json.dumps(value, separators=separators, ensure_ascii=ascii_only) for value in objects]
    rows = [{name: _value(cell) for name, cell in row.items()} for row in _rows(texts)]
    assert rows == [{key: value for key, value in one.items() if value is not None} for one in objects]


def test_numbers_keep_their_text() -> None:
    texts = ["1", "1.0", "1e5", "-0.00", "123456789012345678901234567890", "1E+400"]
    assert [row["n"] for row in _rows([f'{{"n": {text}}}' for text in texts])] == texts


def test_a_repeated_key_never_takes_the_name_of_another() -> None:
    assert _rows(['{"a":1,"a":2,"a_2":3}', '{"a":4,"a":5}']) == [
        {"a": "1", "a_3": "2", "a_2": "3"},
        {"a": "4", "a_2": "5"},
    ]


def test_reserved_and_empty_names_are_replaced_and_the_original_is_kept() -> None:
    ((batch, _),) = JsonColumns().batches(pa.array(['{"_cf_job_id":1,"":2,"plain":3}']))
    assert batch.schema.names == ["x_cf_job_id", "column_1", "plain"]
    assert [field.metadata.get(FIELD_ORIGINAL) for field in batch.schema] == [b"_cf_job_id", b"", None]
    assert {field.metadata[FIELD_ENCODING] for field in batch.schema} == {b"json"}


def test_objects_with_more_keys_than_columns_are_left_out(monkeypatch: Any) -> None:
    monkeypatch.setattr(json_columns, "MAX_COLUMNS", 3)
    assert _rows(['{"a":1,"b":2}', '{"a":1,"c":2,"d":3}', '{"b":5}']) == [{"a": "1", "b": "2"}, {}, {"b": "5"}]


def test_wide_objects_come_in_several_batches(monkeypatch: Any) -> None:
    monkeypatch.setattr(json_columns, "MAX_CELLS", 10)
    texts = [json.dumps({f"k{row}": row, "all": row}) for row in range(12)]
    batches = list(JsonColumns().batches(pa.array(texts)))
    assert len(batches) > 1
    assert [at for _, members in batches for at in members.tolist()] == list(range(12))
    assert _rows(texts)[7] == {"k7": "7", "all": "7"}
