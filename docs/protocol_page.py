"""Makes the page of the protocol and its test vectors: prose from `protocol.in`, facts from the code."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NewType, Union, get_args, get_origin, get_type_hints

import msgspec

from casparian_flow.core.jobs import JobPhase
from casparian_flow.protocol import strict, zmq_sockets
from casparian_flow.protocol.bodies import FROM_SENTINEL, FROM_WORKER, Body, Conclude
from casparian_flow.protocol.codec import Message, encode
from casparian_flow.protocol.opcodes import (
    HEADER,
    LARGEST_PAYLOAD,
    LARGEST_SMALL,
    TOLD_TOGETHER,
    VERSION,
    Opcode,
    largest_payload,
)
from protocol_meanings import MEANINGS
from protocol_vectors import MALFORMED, VALID

PROSE = Path(__file__).parent / "protocol.in"
_SENDERS = (("W", "a worker", FROM_WORKER), ("S", "the sentinel", FROM_SENTINEL))


def page() -> Iterator[str]:
    """The page."""
    yield re.sub(r"@@(\w+)@@", lambda found: _FACTS[found[1]], PROSE.read_text(encoding="utf-8"))


def vectors() -> str:
    """The test vectors as JSON."""
    valid = [
        {
            "name": name,
            "sender": sender,
            "hex": encode(message).hex(),
            "opcode": message.opcode.name,
            "job": message.job,
            "payload": json.loads(encode(message)[HEADER.size :]),
        }
        for name, sender, message in VALID
    ]
    malformed = [
        {"name": name, "sender": sender, "hex": data.hex(), "code": code, "job": job, "seq": seq}
        for name, sender, data, code, job, seq in MALFORMED
    ]
    return json.dumps({"version": VERSION, "valid": valid, "malformed": malformed}, indent=1, ensure_ascii=True) + "\n"


def _opcodes() -> str:
    lines = ["| opcode | name | sent by | meaning |", "| --- | --- | --- | --- |"]
    says = _attribute_texts()
    for opcode in Opcode:
        by = [letter for letter, _, bodies in _SENDERS if opcode in bodies]
        sent_by = "P" if opcode is Opcode.DEPLOY else " ".join(by)
        lines.append(f"| {opcode.value} | {opcode.name} | {sent_by} | {says[opcode]} |")
    return "\n".join(lines)


def _attribute_texts() -> dict[Opcode, str]:
    """The text under each opcode in its file."""
    source = Path(__file__).parents[1] / "src" / "casparian_flow" / "protocol" / "opcodes.py"
    found = re.findall(
        r'^    (\w+) = \d+\n    """(.*?)"""', source.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return {Opcode[name]: " ".join(text.split()) for name, text in found}


def _bodies() -> str:
    sections = []
    for opcode in Opcode:
        for _, sender, bodies in _SENDERS:
            if (body := bodies.get(opcode)) is not None:
                sections += [f"### {opcode.name}, said by {sender}", _described(body)]
    return "\n\n".join(sections)


def _values() -> str:
    inner = {kind: None for kind in _inside(list(_every_body())) if kind not in _every_body()}
    return "\n\n".join(f"### {_name(kind)}\n\n{_described(kind)}" for kind in inner)


def _every_body() -> dict[type[Body], None]:
    return dict.fromkeys([*FROM_WORKER.values(), *FROM_SENTINEL.values()])


def _inside(kinds: list[Any]) -> Iterator[Any]:
    """Every kind of object in these, and in those in turn, once."""
    seen: dict[Any, None] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop(0)
        if isinstance(kind, NewType):
            waiting.append(kind.__supertype__)
        waiting += [each for each in get_args(kind) if each is not ...]
        if _has_fields(kind) and kind not in seen:
            seen[kind] = None
            waiting += [hint for _, hint, _ in _fields(kind)]
    return iter(seen)


def _described(kind: type) -> str:
    text = " ".join((kind.__doc__ or "").split())
    if tag := _tag(kind):
        text += f" Its `{tag[0]}` is `{tag[1]}`."
    rows = [
        f"| `{name}` | {_type(hint)} | {'needed' if default is _NEEDED else f'`{_shown(default)}`'} | "
        f"{MEANINGS[f'{_name(kind)}.{name}']} |"
        for name, hint, default in _fields(kind)
    ]
    if not rows:
        return f"{text} The body is `{{}}`."
    return "\n".join([text, "", "| field | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


_NEEDED = object()


def _has_fields(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind))


def _fields(kind: type) -> Iterator[tuple[str, Any, Any]]:
    """Name, type and default of each field."""
    hints = get_type_hints(kind, include_extras=True)
    if issubclass(kind, msgspec.Struct):
        for each in msgspec.structs.fields(kind):
            made = each.default_factory() if each.default_factory is not msgspec.NODEFAULT else each.default
            yield each.name, hints[each.name], _NEEDED if each.required else made
        return
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        yield field.name, hints[field.name], _NEEDED if default is dataclasses.MISSING else default


def fields_of_every_kind() -> list[str]:
    """`Kind.field` of everything that a message can hold, once."""
    return [f"{_name(kind)}.{name}" for kind in _inside(list(_every_body())) for name, _, _ in _fields(kind)]


def _name(kind: type) -> str:
    return kind.__name__


def _tag(kind: type) -> tuple[str, str] | None:
    if issubclass(kind, msgspec.Struct) and (tag := kind.__struct_config__.tag) is not None:
        return str(kind.__struct_config__.tag_field), str(tag)
    return None


def _type(kind: Any) -> str:
    """A type in the words of the page."""
    if isinstance(kind, NewType):
        return _type(kind.__supertype__)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type(inner[0]) + _bounds(inner[1])
    if origin in (Union, UnionType):
        return " or ".join(_type(each) for each in inner)
    if origin is tuple and ... not in inner:
        return "pair of " + " and ".join(_type(each) for each in inner)
    if origin in (list, tuple):
        return f"list of {_type(inner[0])}"
    if origin in (dict, Mapping):
        return f"map of string to {_type(inner[1])}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(f"`{each.value}`" for each in kind)
    if _has_fields(kind):
        return f"[{_name(kind)}](#{_name(kind).lower()})"
    return _WORDS[kind]


def _bounds(meta: msgspec.Meta) -> str:
    if meta.pattern is not None:
        return " (40 characters of Z85, or empty)"
    if meta.ge is not None:
        most = "2^63 - 1" if meta.le == strict.LARGEST_INTEGER else meta.le
        return f" ({meta.ge} to {most})"
    least = f"{meta.min_length} to " if meta.min_length else "at most "
    return f" ({least}{meta.max_length})"


def _shown(default: Any) -> str:
    if dataclasses.is_dataclass(default) or isinstance(default, msgspec.Struct):
        return "{}"
    return json.dumps(msgspec.to_builtins(default))


_WORDS: dict[Any, str] = {
    int: "integer",
    str: "string",
    bytes: "bytes",
    float: "number",
    bool: "boolean",
    type(None): "null",
    Any: "any JSON",
}


def _example() -> str:
    data = encode(Message(opcode=Opcode.CONCLUDE, session="5f0c", seq=42, job=7, attempt=2, body=Conclude()))
    lines = [data[:16].hex(" ")]
    rest = data[16:]
    for at in range(0, len(rest), 16):
        piece = rest[at : at + 16]
        lines.append(f"{piece.hex(' '):<48} {piece.decode()}")
    return "\n".join(lines)


_FACTS = {
    "version": str(VERSION),
    "example": _example(),
    "opcodes": _opcodes(),
    "bodies": _bodies(),
    "values": _values(),
    "phases": ", ".join(f"`{phase.value}`" for phase in JobPhase),
    "largest": f"{LARGEST_PAYLOAD:,}",
    "small": f"{LARGEST_SMALL:,}",
    "small_opcodes": ", ".join(each.name for each in Opcode if largest_payload(each) == LARGEST_SMALL),
    "longest_text": f"{strict.LONGEST_TEXT:,}",
    "most_items": f"{strict.MOST_ITEMS:,}",
    "ping": str(zmq_sockets.PING_MS),
    "silence": str(zmq_sockets.SILENCE_MS),
    "handshake": str(zmq_sockets.HANDSHAKE_MS),
    "maxmsgsize": f"{zmq_sockets.LARGEST_FRAME:,}",
    "hwm": f"{zmq_sockets.WAITING_TO_SEND:,}, {zmq_sockets.WAITING_TO_BE_READ}",
    "told": f"{TOLD_TOGETHER:,}",
    "rcvhwm": str(zmq_sockets.WAITING_TO_BE_READ),
}
