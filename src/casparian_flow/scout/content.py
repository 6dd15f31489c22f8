from dataclasses import dataclass
@dataclass(frozen=True)
class ContentKind:
    kind: str
    reason: str
def sniff(head: bytes, size: int) -> ContentKind:
    if not size: return ContentKind("empty","no bytes")
    if head.startswith(b"ElfFile"): return ContentKind("evtx","magic")
    if head.startswith(b"SQLite format 3"): return ContentKind("sqlite","magic")
    if b"\0" in head: return ContentKind("binary","NUL bytes")
    if head.lstrip()[:1] in b"{": return ContentKind("jsonl","starts with {")
    ls=head.splitlines()[:5]
    if ls and ls[0].count(b","): return ContentKind("delimited","commas")
    return ContentKind("text","else")
