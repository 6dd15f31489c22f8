"""A small writer of Windows event logs, so that tests and cases need no one else's files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

CHUNK = 65536
HEADER = 4096
RECORDS = 512
NS = "http://schemas.microsoft.com/win/2004/08/events/event"
T0 = 133_500_000_000_000_000
"""A FILETIME in January 2024."""

NULL, STRING, UINT8, UINT16, UINT32, UINT64, GUID, FILETIME, SID, HEX64 = 0, 1, 4, 6, 8, 10, 15, 17, 19, 21
PACKED = {UINT8: "<B", UINT16: "<H", UINT32: "<I", UINT64: "<Q", HEX64: "<Q", FILETIME: "<Q"}


@dataclass(frozen=True)
class Slot:
    """A value that the record supplies: an index into its values."""

    index: int


@dataclass(frozen=True)
class Element:
    name: str
    attributes: Sequence[tuple[str, str | Slot]] = ()
    children: Sequence[Element | Slot | str] = ()


@dataclass(frozen=True)
class Event:
    """One event to write. `data` are the named values of the body; an empty name is positional data."""

    event_id: int
    data: Sequence[tuple[str, str]] = ()
    channel: str = "Security"
    provider: str = "Microsoft-Windows-Security-Auditing"
    computer: str = "HOST-1"
    body: str = "EventData"
    time: int = T0
    level: int = 4
    record_id: int | None = None
    """EventRecordID, where it differs from the id in the record's header."""
    sid: bytes = bytes.fromhex("010100000000000512000000")
    children: Sequence[Element] = ()
    """Elements of the body as they are, in place of `data`."""
    after: Sequence[Element] = ()
    """Elements after the body."""


@dataclass
class Chunk:
    """Collects the records of one chunk and finishes its header."""

    first: int
    first_number: int | None = None
    data: bytearray = field(default_factory=lambda: bytearray(RECORDS))
    names: dict[str, int] = field(default_factory=dict)
    templates: dict[str, int] = field(default_factory=dict)
    count: int = 0
    last_offset: int = RECORDS

    def add(self, event: Event) -> tuple[int, int]:
        """Where the record begins and ends in the chunk."""
        start, record = len(self.data), self.first + self.count
        self.data += struct.pack("<4sIQQ", b"**\0\0", 0, record, event.time)
        self._instance(event, record)
        self.data += bytes(-(len(self.data) + 4) % 8)
        size = len(self.data) + 4 - start
        self.data += struct.pack("<I", size)
        struct.pack_into("<I", self.data, start + 4, size)
        self.last_offset, self.count = start, self.count + 1
        return start, start + size

    def finish(self) -> bytes:
        data = bytes(self.data).ljust(CHUNK, b"\0")
        assert len(data) == CHUNK, "too many records for one chunk"
        number = self.first if self.first_number is None else self.first_number
        return seal(
            data,
            number,
            number + self.count - 1,
            self.first,
            self.first + self.count - 1,
            self.last_offset,
            len(self.data),
        )

    def _instance(self, event: Event, record: int) -> None:
        names = tuple(name for name, _ in event.data)
        key = repr((names, event.body, event.children, event.after))
        values = [
            (UINT16, event.event_id),
            (UINT8, event.level),
            (HEX64, 0x8020000000000000),
            (FILETIME, event.time),
            (UINT64, record if event.record_id is None else event.record_id),
            (UINT32, 456),
            (UINT32, 460),
            (SID, event.sid),
            (STRING, event.provider),
            (STRING, event.channel),
            (STRING, event.computer),
            *((STRING, value) for _, value in event.data),
        ]
        self.data += b"\x0f\x01\x01\x00\x0c\x01" + struct.pack("<I", 1 + len(self.templates))
        known = self.templates.get(key)
        if known is None:
            self.templates[key] = known = len(self.data) + 4
            self.data += struct.pack("<I", known)
            self.data += struct.pack("<I16sI", 0, UUID(int=known).bytes_le, 0)
            begins = len(self.data)
            self.data += b"\x0f\x01\x01\x00"
            self._element(tree(event))
            self.data += b"\0"
            struct.pack_into("<I", self.data, begins - 4, len(self.data) - begins)
        else:
            self.data += struct.pack("<I", known)
        packed = [pack(kind, value) for kind, value in values]
        self.data += struct.pack("<I", len(values))
        for (kind, _), value in zip(values, packed, strict=True):
            self.data += struct.pack("<HBB", len(value), kind, 0)
        self.data += b"".join(packed)

    def _element(self, element: Element) -> None:
        has = bool(element.attributes)
        self.data += struct.pack("<BHI", 0x41 if has else 0x01, 0xFFFF, 0)
        begins = len(self.data)
        self._name(element.name)
        if has:
            self.data += bytes(4)
            list_at = len(self.data)
            for at, (name, value) in enumerate(element.attributes, start=1):
                self.data += b"\x46" if at < len(element.attributes) else b"\x06"
                self._name(name)
                self._content(value)
            struct.pack_into("<I", self.data, list_at - 4, len(self.data) - list_at)
        if element.children:
            self.data += b"\x02"
            for child in element.children:
                self._content(child)
            self.data += b"\x04"
        else:
            self.data += b"\x03"
        struct.pack_into("<I", self.data, begins - 4, len(self.data) - begins)

    def _content(self, value: Element | Slot | str) -> None:
        if isinstance(value, Element):
            self._element(value)
        elif isinstance(value, Slot):
            kinds = [UINT16, UINT8, HEX64, FILETIME, UINT64, UINT32, UINT32, SID]
            self.data += struct.pack("<BHB", 0x0D, value.index, kinds[value.index] if value.index < 8 else STRING)
        else:
            self.data += struct.pack("<BBH", 0x05, STRING, len(value)) + value.encode("utf-16-le")

    def _name(self, name: str) -> None:
        known = self.names.get(name)
        if known is not None:
            self.data += struct.pack("<I", known)
            return
        self.names[name] = at = len(self.data) + 4
        code = 0
        for char in name:
            code = (code * 65599 + ord(char)) & 0xFFFFFFFF
        self.data += struct.pack("<IIHH", at, 0, code & 0xFFFF, len(name)) + name.encode("utf-16-le") + b"\0\0"


def tree(event: Event) -> Element:
    """The template of an event, with slots where the values go."""
    names = [name for name, _ in event.data]
    data = event.children or [
        Element("Data", [("Name", name)] if name else [], [Slot(11 + at)]) for at, name in enumerate(names)
    ]
    system = [
        Element("Provider", [("Name", Slot(8)), ("Guid", "{54849625-5478-4994-A5BA-3E3B0328C30D}")]),
        Element("EventID", (), [Slot(0)]),
        Element("Level", (), [Slot(1)]),
        Element("Keywords", (), [Slot(2)]),
        Element("TimeCreated", [("SystemTime", Slot(3))]),
        Element("EventRecordID", (), [Slot(4)]),
        Element("Execution", [("ProcessID", Slot(5)), ("ThreadID", Slot(6))]),
        Element("Channel", (), [Slot(9)]),
        Element("Computer", (), [Slot(10)]),
        Element("Security", [("UserID", Slot(7))]),
    ]
    return Element(
        "Event", [("xmlns", NS)], [Element("System", (), system), Element(event.body, (), data), *event.after]
    )


def pack(kind: int, value: int | str | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode("utf-16-le") if isinstance(value, str) else struct.pack(PACKED[kind], value)


def seal(data: bytes, first: int, last: int, first_id: int, last_id: int, last_offset: int, free: int) -> bytes:
    """The chunk with a header whose checksums fit."""
    chunk = bytearray(data)
    struct.pack_into(
        "<8sQQQQIIII",
        chunk,
        0,
        b"ElfChnk\0",
        first,
        last,
        first_id,
        last_id,
        128,
        last_offset,
        free,
        zlib.crc32(chunk[RECORDS:free]),
    )
    struct.pack_into("<II", chunk, 120, 1, 0)
    struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[128:RECORDS], zlib.crc32(chunk[:120])))
    return bytes(chunk)


def log_of(chunks: Sequence[bytes], next_id: int = 0, flags: int = 0, declared: int | None = None) -> bytes:
    """A whole file."""
    count = len(chunks) if declared is None else declared
    head = struct.pack("<8sQQQIHHHH", b"ElfFile\0", 0, max(0, count - 1), next_id, 128, 1, 3, HEADER, count).ljust(
        120, b"\0"
    )
    head += struct.pack("<II", flags, zlib.crc32(head))
    return head.ljust(HEADER, b"\0") + b"".join(chunks)


def chunk_of(events: Iterable[Event], first: int = 1) -> bytes:
    chunk = Chunk(first)
    for event in events:
        chunk.add(event)
    return chunk.finish()


def logons(count: int, first: int = 1) -> list[Event]:
    """Events that differ in their values and their times."""
    return [
        Event(
            4624,
            [
                ("SubjectUserName", "-"),
                ("TargetUserName", f"user{at}"),
                ("TargetDomainName", "CORP"),
                ("LogonType", "3"),
                ("IpAddress", f"10.0.0.{at % 250}"),
            ],
            time=T0 + at * 10_000_001,
        )
        for at in range(first, first + count)
    ]


def three_chunks(each: int = 5) -> bytes:
    return log_of([chunk_of(logons(each, 1 + at * each), 1 + at * each) for at in range(3)], next_id=3 * each + 1)
