"""What a person asked of a list: which items, in what order, from where, and how many."""

from __future__ import annotations

import difflib
import heapq
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from casparian_flow.clients.cli.options import instead
from casparian_flow.core.errors import UsageError

PAGE = 2000
"""Items asked for at once, so that a list of any length takes little memory."""
MOST_SORTED = 100_000
"""Items that are put in order here; more belong into a query."""
CONDITION = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
CURSOR = re.compile(r"(.*?)(?:~(\d{1,12}))?", re.DOTALL)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Item = Mapping[str, Any]
AskPage = Callable[[int, str | None], Any]
"""Gives the page of at most so many items after a cursor."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a field with a text: numbers as numbers, everything else as text."""

    field: str
    operator: str
    text: str

    def fits(self, item: Item) -> bool:
        """Whether the item is wanted. A field without a value fits only `!=`, or `=` with nothing."""
        value = item[self.field]
        if isinstance(value, (list, tuple)) and value:
            found = any(self._holds(each) for each in value)
            return not any(str(each) == self.text for each in value) if self.operator == "!=" else found
        return self._holds(value)

    def _holds(self, value: Any) -> bool:
        if value is None or value in ("", []):
            return (self.operator == "!=") == bool(self.text) and self.operator in ("=", "!=")
        if self.operator == "~":
            return self.text.casefold() in str(value).casefold()
        compare = COMPARE[self.operator]
        if isinstance(value, bool):
            return compare(str(value).lower(), self.text.lower())
        if isinstance(value, (int, float)):
            number = _number(self.text)
            return self.operator == "!=" if number is None else compare(value, number)
        return compare(str(value), self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which items. `after` and `skip` are where a list goes on: a page's cursor, and so many items behind it."""

    conditions: tuple[Condition, ...] = ()
    field: str | None = None
    is_descending: bool = False
    after: str | None = None
    skip: int = 0
    limit: int | None = None

    def fits(self, item: Item) -> bool:
        """Whether every condition holds."""
        return all(condition.fits(item) for condition in self.conditions)

    @property
    def page(self) -> int:
        """Items to ask for at once."""
        return PAGE if self.conditions or self.limit is None else min(PAGE, self.limit)


def read_wish(
    where: Iterable[str], sort: str | None, cursor: str | None, limit: int | None, known: Sequence[str]
) -> Wish:
    """The wish that the options stand for; raises UsageError about a field or a form that there is not."""
    field = None if sort is None else sort.removeprefix("-")
    for name in [] if field is None else [field]:
        check_field(name, known, "--sort", str(sort))
    after, skip = _cursor(cursor)
    return Wish(
        conditions=tuple(_condition(text, known) for text in where),
        field=field,
        is_descending=sort is not None and sort.startswith("-"),
        after=after,
        skip=skip,
        limit=limit,
    )


def choose(wish: Wish, key: str, first: Any, ask: AskPage, rest: dict[str, Any]) -> Iterator[Item]:
    """The wanted items, page by page in the list's own order; `first` is the page after `wish.after`.

    `rest["next_cursor"]` always says where to go on for whoever stops here, and is None at the end.
    """
    from msgspec import to_builtins

    page, after, skip, shown = first, wish.after, wish.skip, 0
    while True:
        items = getattr(page, key)
        for index in range(skip, len(items)):
            item = to_builtins(items[index])
            if wish.conditions and not wish.fits(item):
                continue
            rest["next_cursor"] = f"{after or ''}~{index}" if index or not after else after
            if shown == wish.limit:
                return
            yield item
            shown += 1
        skip = max(skip - len(items), 0)
        if page.next_cursor is None or (shown == wish.limit and not wish.conditions):
            rest["next_cursor"] = page.next_cursor
            return
        after = page.next_cursor
        page = ask(wish.page, after)


def order(wish: Wish, key: str, first: Any, ask: AskPage, rest: dict[str, Any]) -> Iterator[Item]:
    """The wanted items in the wanted order, from `wish.skip` on. All are looked at before the first is given.

    Raises UsageError when there are more than can be put in order here.
    """
    field = wish.field
    assert field is not None
    whole = Wish(conditions=wish.conditions)
    items = choose(whole, key, first, ask, {})
    if wish.limit is None:
        found = _bounded(items)
        found.sort(key=lambda item: _rank(item[field], last=not wish.is_descending), reverse=wish.is_descending)
    else:
        take = heapq.nlargest if wish.is_descending else heapq.nsmallest
        most = min(wish.skip + wish.limit + 1, MOST_SORTED)
        found = take(most, items, key=lambda item: _rank(item[field], last=not wish.is_descending))
    return _from(found, wish, rest)


def check_field(name: str, known: Sequence[str], option: str, typed: str) -> None:
    """Raises UsageError, with the name that was probably meant, unless there is such a field.

    `typed` is the value of the option in which it stands; only the name is put right in it.
    """
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=1)
    raise UsageError(
        f"there is no field {name!r}",
        why=f"did you mean {close[0]}?" if close else f"fields: {', '.join(known)}",
        fix=instead(option, _named(name, close[0] if close else known[0], typed), typed),
    )


def _named(name: str, meant: str, typed: str) -> str:
    """What was typed with the field that was meant."""
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda _: meant, typed, count=1)


def _from(found: list[Item], wish: Wish, rest: dict[str, Any]) -> Iterator[Item]:
    end = len(found) if wish.limit is None else wish.skip + wish.limit
    for index in range(wish.skip, len(found)):
        rest["next_cursor"] = f"~{index}"
        if index == end:
            return
        yield found[index]
    rest["next_cursor"] = None


def _bounded(items: Iterator[Item]) -> list[Item]:
    found: list[Item] = []
    for item in items:
        if len(found) == MOST_SORTED:
            raise UsageError(
                f"more than {MOST_SORTED:,} items would have to be put in order",
                fix="--limit 1000",
            )
        found.append(item)
    return found


def _rank(value: Any, *, last: bool) -> tuple[Any, ...]:
    """Numbers before texts, and what is missing at the end in both directions."""
    if value is None:
        return (2,) if last else (-1,)
    if isinstance(value, (int, float)):
        return (0, value)
    return (1, ",".join(map(str, value)) if isinstance(value, list) else str(value))


def _condition(text: str, known: Sequence[str]) -> Condition:
    found = CONDITION.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text!r} is not a condition",
            why="a condition is FIELD, one of = != < <= > >= ~, and a value",
            fix=instead("--where", f"{known[0]}=VALUE", text),
        )
    check_field(found[1], known, "--where", text)
    return Condition(found[1], found[2], found[3])


def _cursor(text: str | None) -> tuple[str | None, int]:
    found = CURSOR.fullmatch(text or "")
    assert found is not None
    return found[1] or None, int(found[2] or 0)


def _number(text: str) -> float | int | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
