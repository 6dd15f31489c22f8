"""Classed values treated: in the table as their contract asks, everywhere else closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis
from casparian_flow.core.lineage import RESCUED
from casparian_flow.core.quarantine import TOO_FEW, TOO_MANY, Code, Level
from casparian_flow.core.receipts import DriftNote
from casparian_flow.core.treatments import TEXTUAL, Treatment, parts_kept
from casparian_flow.schema.arrow import arrow_field
from casparian_flow.schema.masks import NOT_DECLARED, mask, masked, shape_of
from casparian_flow.schema.pseudonyms import pseudonyms
from casparian_flow.schema.rejections import REJECTION_SCHEMA, message_texts
from casparian_flow.schema.rendering import as_text
from casparian_flow.schema.rescue import RESCUED_FIELD
from casparian_flow.schema.survey import Survey

HIDDEN = "***"
"""What PARTIAL puts in place of what it does not keep."""
PASSED_ON = r"""(?s)(:|(^|\s|\()["'`]).*"""
"""The words of others in a message, from a colon or an opening quotation mark on."""

Texts = Callable[[pa.Array], pa.Array]


def output_schema(contract: Contract) -> pa.Schema:
    """The contract's columns as its table has them: without dropped ones, text where a treatment leaves text."""
    return pa.schema([_field(column) for column in contract.table_columns])


def accepted_schema(contract: Contract) -> pa.Schema:
    """What the accepted rows of a table have before their lineage."""
    return pa.schema([*(field.with_nullable(True) for field in output_schema(contract)), RESCUED_FIELD])


def closed_rejections(batch: pa.RecordBatch, *, is_vouched: bool) -> pa.RecordBatch:
    """Rejections of a table of which no column is known to be open."""
    return Treatments(Contract("", 0, ()), b"", is_vouched=is_vouched).rejections(batch)


class Treatments:
    """How the values of one table are treated, where at least one of its columns is closed.

    Values of columns that the contract does not know are closed, too: nobody said what they are.
    """

    def __init__(self, contract: Contract, key: bytes, *, is_vouched: bool = False) -> None:
        """`key` is the home's; it is not needed where no column becomes a pseudonym.

        `is_vouched`: the parser is ours, so that what it says of a record repeats nothing of it, but for the words of
        others that it passes on behind a colon or in quotes.
        """
        self._key = key
        self._is_vouched = is_vouched
        self._columns = {each.name: each for each in contract.columns}
        self._closed = {each.name: str(each.sensitivity) for each in contract.columns if each.is_closed}
        for rule in contract.rules:  # what a key of several columns is called where it fails
            hidden = [self._closed[name] for name in rule.columns if name in self._closed]
            if len(rule.columns) > 1 and hidden:
                self._closed[", ".join(rule.columns)] = hidden[0]
        named = {*self._columns, *(", ".join(rule.columns) for rule in contract.rules)}
        self._open = frozenset(named - self._closed.keys())
        self._kept = frozenset(each.name for each in contract.columns if each.treated is Treatment.KEEP)

    def rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Accepted rows as they stand in the table: what its contract asks of each column, and of rescued values."""
        arrays, fields = [], []
        for each, values in zip(batch.schema, batch.columns, strict=True):
            column = self._columns.get(each.name)
            if column is None:
                arrays.append(self._rescued(values) if each.name == RESCUED else values)
                fields.append(each)
            elif column.treated is Treatment.KEEP:
                arrays.append(values)
                fields.append(each)
            elif column.treated is not Treatment.DROP:
                arrays.append(self.column(column.name, values))
                fields.append(_field(column).with_nullable(each.nullable))
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, batch.schema.metadata))

    def column(self, name: str, values: pa.Array) -> pa.Array:
        """Values of one column as they stand in the table: what keys have to be compared by.

        A dropped column has none.
        """
        column = self._columns[name]
        if column.treated is Treatment.KEEP:
            return values
        if column.treated in (Treatment.NULL, Treatment.DROP):
            return pa.nulls(len(values), values.type)
        return self._textual(column)(as_text(values))

    def rejections(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rejections without a value of a closed column, and without any text that is not ours.

        `start` and `end` still say where each record stands in its source; its bytes are not kept.
        """
        if not batch.num_rows:
            return batch
        of_fields = pc.equal(batch["level"], str(Level.FIELD))
        own_words = pc.equal(batch["code"], str(Code.OUTPUT_UNDECLARED))
        otherwise = pc.if_else(own_words, batch["message"], self._words(batch["message"]))
        errors = self._errors(batch["errors"])
        first = pc.list_element(errors, 0)
        column, expected, observed = (pc.struct_field(first, name) for name in ("column", "expected", "observed"))
        said = message_texts(column, expected, observed, pc.list_value_length(errors))
        is_open = pc.is_in(batch["column"], pa.array(sorted(self._open), pa.string()))
        is_of_record = pc.is_in(batch["shape"], pa.array([TOO_FEW, TOO_MANY]))
        treated = {
            "errors": errors,
            "message": pc.if_else(of_fields, said, otherwise),
            "values": self._values(batch["values"]),
            "raw": pa.nulls(batch.num_rows, pa.binary()),
            "locator": self._words(batch["locator"]),
            "shape": pc.if_else(pc.or_(is_open, is_of_record), batch["shape"], self._shapes(batch["column"])),
        }
        arrays = [treated.get(each.name, batch[each.name]) for each in REJECTION_SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=REJECTION_SCHEMA)

    def drift(self, note: DriftNote) -> DriftNote:
        """The note without values of a closed column."""
        if note.axis != Axis.NEW_OUTPUT and note.column in self._open:  # an output may be called like a column
            return note
        said = self._closed.get(note.column, NOT_DECLARED)
        survey = Survey.from_bytes(note.survey).closed(said).to_bytes() if note.survey else b""
        return replace(note, samples=tuple(mask(each, said) for each in note.samples), survey=survey)

    def text(self, message: str) -> str:
        """What a parser or a library says about values of this table: nobody knows which."""
        return mask(message, NOT_DECLARED)

    def _words(self, said: pa.Array) -> pa.Array:
        """What a parser says of a record."""
        return pc.replace_substring_regex(said, PASSED_ON, "") if self._is_vouched else masked(said, NOT_DECLARED)

    def _rescued(self, rescued: pa.Array) -> pa.Array:
        """Values that stand beside their row: those of a column that is kept are kept here, too."""
        if rescued.null_count == len(rescued):
            return rescued
        entries = rescued.flatten()
        names, raw, codes = (entries.field(at) for at in range(3))
        ways: dict[str, Texts] = {
            name: self._textual(each) if each.treated in TEXTUAL else partial(masked, said=each.sensitivity)
            for name, each in self._columns.items()
            if name not in self._kept
        }
        raw = _each_its_way(names, raw, self._kept, ways)
        again = pa.StructArray.from_arrays([names, raw, codes], fields=list(rescued.type.value_type))
        lengths = pc.fill_null(pc.list_value_length(rescued), 0)
        ends = pc.cumulative_sum(lengths).cast(pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
        return pa.ListArray.from_arrays(offsets, again, type=rescued.type, mask=rescued.is_null())

    def _errors(self, errors: pa.Array) -> pa.Array:
        entries = errors.flatten()
        codes, columns, expected, observed = (entries.field(at) for at in range(4))
        observed = _each_its_way(columns, observed, self._open, self._masks())
        again = pa.StructArray.from_arrays([codes, columns, expected, observed], fields=list(errors.type.value_type))
        ends = pc.cumulative_sum(pc.list_value_length(errors)).cast(pa.int32())
        return pa.ListArray.from_arrays(pa.concat_arrays([pa.array([0], pa.int32()), ends]), again, type=errors.type)

    def _values(self, values: pa.Array) -> pa.Array:
        """Rows as JSON objects of texts by column."""
        decode, encode = msgspec.json.Decoder(dict[str, str | None]).decode, msgspec.json.Encoder().encode
        treated: list[bytes | None] = []
        for text in values.to_pylist():
            if text is None:
                treated.append(None)
                continue
            row = {
                name: value if value is None or name in self._open else mask(value, self._said(name))
                for name, value in decode(text).items()
            }
            treated.append(encode(row))
        return pa.array(treated, pa.binary()).cast(pa.string())

    def _shapes(self, columns: pa.Array) -> pa.Array:
        names = columns.to_pylist()
        return pa.array([shape_of(self._said(name or "")) if name else "" for name in names], pa.string())

    def _said(self, name: str) -> str:
        return self._closed.get(name, NOT_DECLARED)

    def _masks(self) -> dict[str, Texts]:
        return {name: partial(masked, said=said) for name, said in self._closed.items()}

    def _textual(self, column: ContractColumn) -> Texts:
        argument = column.treatment_argument or ""
        match column.treated:
            case Treatment.FIXED:
                return partial(_fixed, argument=argument)
            case Treatment.PARTIAL:
                first, last = parts_kept(argument)
                return partial(_partial, first=first, last=last)
            case _:
                return partial(pseudonyms, key=self._key)


def _field(column: ContractColumn) -> pa.Field:
    nullable = column.nullable or column.treated is Treatment.NULL
    return arrow_field(column.name, column.table_type, nullable=nullable)


def _each_its_way(names: pa.Array, texts: pa.Array, as_they_are: frozenset[str], ways: dict[str, Texts]) -> pa.Array:
    """Texts of many columns, each treated by the name beside it; those of unknown names are masked."""
    treated = pc.if_else(
        pc.fill_null(pc.is_in(names, pa.array(sorted(as_they_are), pa.string())), False),
        texts,
        masked(texts, NOT_DECLARED),
    )
    for name in pc.unique(names).to_pylist():
        if name in ways:
            mine = pc.fill_null(pc.equal(names, name), False)
            treated = pc.replace_with_mask(treated, mine, ways[name](texts.filter(mine)))
    return treated


def _fixed(texts: pa.Array, argument: str) -> pa.Array:
    return pc.if_else(texts.is_valid(), pa.scalar(argument, pa.string()), pa.scalar(None, pa.string()))


def _partial(texts: pa.Array, first: int, last: int) -> pa.Array:
    """The beginning and the end of each text; of one that is no longer than both nothing."""
    head = pc.utf8_slice_codeunits(texts, 0, first)
    tail = pc.utf8_slice_codeunits(texts, -last) if last else pc.utf8_slice_codeunits(texts, 0, 0)
    cut = pc.binary_join_element_wise(head, HIDDEN, tail, "")
    return pc.if_else(pc.greater(pc.utf8_length(texts), first + last), cut, HIDDEN)
