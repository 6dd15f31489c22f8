"""The first bytes of binary formats, by name."""

from __future__ import annotations

EVTX = b"ElfFile\x00"
SQLITE = b"SQLite format 3\x00"
LATER = "archives and compressed files are read in a later release"

_ARCHIVES = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"Rar!\x1a\x07", "rar"),
    (b"MSCF\x00\x00\x00\x00", "cab"),
)
_OTHERS = (
    (b"regf", "registry hive"),
    (b"MAM\x04", "prefetch (compressed)"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "shortcut"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE compound file"),
    (b"\x7fELF", "ELF program"),
    (b"%PDF-", "PDF"),
    (b"\x89PNG\r\n\x1a\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF87a", "GIF image"),
    (b"GIF89a", "GIF image"),
    (b"\xd4\xc3\xb2\xa1", "packet capture"),
    (b"\xa1\xb2\xc3\xd4", "packet capture"),
    (b"\x4d\x3c\xb2\xa1", "packet capture"),
    (b"\xa1\xb2\x3c\x4d", "packet capture"),
    (b"\x0a\x0d\x0d\x0a", "packet capture"),
    (b"\xca\xfe\xba\xbe", "Java class or Mach-O program"),
    (b"\xcf\xfa\xed\xfe", "Mach-O program"),
    (b"PAR1", "Parquet"),
    (b"ARROW1\x00\x00", "Arrow"),
    (b"bplist00", "binary property list"),
    (b"LPKSHHRH", "systemd journal"),
    (b"FILE0\x00", "MFT"),
)
_ARCHIVE_STARTS = tuple(magic for magic, _ in _ARCHIVES)
_OTHER_STARTS = tuple(magic for magic, _ in _OTHERS)


def archive_name(head: bytes) -> str | None:
    """The name of an archive or compression format."""
    if head.startswith(_ARCHIVE_STARTS):
        name = _name_in(_ARCHIVES, head)
        return name if name != "bzip2" or head[3:4] in b"123456789" else None
    return "tar" if head[257:262] == b"ustar" else None


def binary_name(head: bytes) -> str | None:
    """The name of another binary format."""
    if head.startswith(_OTHER_STARTS):
        return _name_in(_OTHERS, head)
    if head[4:8] == b"SCCA":
        return "prefetch"
    if head[4:8] == b"\xef\xcd\xab\x89":
        return "ESE database"
    if head[4:8] == b"LfLe":
        return "event log before Windows Vista"
    if head.startswith(b"MZ") and b"\x00" in head[:128]:
        return "PE program"
    return None


def _name_in(magics: tuple[tuple[bytes, str], ...], head: bytes) -> str:
    return next(name for magic, name in magics if head.startswith(magic))
