"""What stands in place of a value that is not shown: its class and its length."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

NOT_DECLARED = "undeclared"
"""The class of a value of which nobody said anything, in a table that has values to hide."""


_MASK = re.compile(r"‹[a-z]+ [0-9]+ chars›")


def masked(texts: pa.Array, said: str) -> pa.Array:
    """Each text as its mask, `‹secret 9 chars›`; null and what is a mask already stay as they are."""
    lengths = pc.utf8_length(texts).cast(pa.string())
    masks = pc.binary_join_element_wise(f"‹{said} ", lengths, " chars›", "")
    return pc.if_else(pc.match_substring_regex(texts, f"^{_MASK.pattern}$"), texts, masks)


def mask(text: str, said: str) -> str:
    """One text as its mask; nothing and a mask stay as they are."""
    return f"‹{said} {len(text)} chars›" if text and not is_mask(text) else text


def is_mask(text: str) -> bool:
    """Whether a text stands for another one that is not shown."""
    return _MASK.fullmatch(text) is not None


def shape_of(said: str) -> str:
    """The shape of every value of a class: how long they are and what they are made of says something about them."""
    return f"‹{said}›"
