"""The type in which a database keeps a column whose own type it lacks, and the way there and back."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.core.errors import UsageError
from casparian_flow.sinks.csv_text import text_of
from casparian_flow.sinks.csv_values import values_of

IsNative = Callable[[pa.DataType], bool]
"""Whether a database keeps values of an Arrow type as they are."""


def stored_type(kind: pa.DataType, is_native: IsNative) -> pa.DataType:
    """The type that is kept instead of `kind`: itself where native, else numbers where they say all, else text.

    Raises UsageError for a type that cannot be kept.
    """
    if pt.is_dictionary(kind):
        return stored_type(kind.value_type, is_native)
    if is_native(kind):
        return kind
    if pt.is_boolean(kind) or pt.is_signed_integer(kind) or pt.is_duration(kind):
        return pa.int64()
    if pt.is_timestamp(kind) and kind.tz is not None and is_native(pa.timestamp(kind.unit)):
        return pa.timestamp(kind.unit)
    if pt.is_temporal(kind) or pt.is_decimal(kind) or pt.is_list(kind) or pt.is_struct(kind):
        return pa.string()
    raise UsageError(f"a column of type {kind} cannot be kept in a database", fix="write to parquet://")


def to_stored(array: pa.Array, is_native: IsNative) -> pa.Array:
    """The values as they are kept. Dictionaries stay dictionaries."""
    kind = array.type
    if pt.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(array.indices, to_stored(array.dictionary, is_native), safe=False)
    stored = stored_type(kind, is_native)
    if stored == kind:
        return array
    if pt.is_string(stored):
        return text_of(array)
    if pt.is_timestamp(kind):
        return array.cast(pa.int64()).cast(stored)  # a cast to a type without zone would tell local time
    return array.cast(stored)


def from_stored(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values in their own type again."""
    if array.type == kind:
        return array
    if pt.is_string(array.type):
        return values_of(array, kind)
    if pt.is_timestamp(kind):
        return array.cast(pa.int64()).cast(kind)
    return array.cast(kind)
