"""Writes docs/reference/ from the product itself; with `--check` only says which pages are stale."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

import casparian_flow
from casparian_flow import settings
from casparian_flow.clients.cli import answers as cli_answers
from casparian_flow.clients.cli import man
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import SHARED
from casparian_flow.clients.cli.root import COMMANDS, root
from casparian_flow.clients.http import openapi
from casparian_flow.clients.http.asker import scope_of
from casparian_flow.clients.http.decode import may_be_got
from casparian_flow.clients.http.paths import path_of
from casparian_flow.core import errors
from casparian_flow.manual import topics
from casparian_flow.manual.entries import Entry, entries
from casparian_flow.operations import index
from casparian_flow.operations.registry import Effect
from casparian_flow.store.published import PUBLISHED
from protocol_page import page as protocol
from protocol_page import vectors

REFERENCE = Path(__file__).parent / "reference"
PACKAGE = Path(casparian_flow.__file__).parent
MAN = Path(__file__).parent / "man"


def commands() -> Iterator[str]:
    """Every command of the click tree with its arguments and options."""
    yield "# Commands\n"
    yield "`casp` is a short name for `casparian`. A noun without a verb lists.\n"
    yield "## Options of every command\n"
    yield from _options(_parameters_of(SHARED))
    context = click.Context(root, info_name="casparian")
    for entry in COMMANDS:
        command = root.get_command(context, entry.name)
        assert command is not None
        yield from _command(command, click.Context(command, parent=context, info_name=entry.name), entry.also)


def _command(command: click.Command, context: click.Context, also: Sequence[str] = ()) -> Iterator[str]:
    yield f"## `{context.command_path}`\n"
    yield f"{_one_line(command.help)}\n"
    if also:
        yield f"Also: {', '.join(f'`{name}`' for name in also)}.\n"
    if isinstance(command, Noun):
        yield f"Without a verb: `{command.default_verb}`.\n"
    if isinstance(command, click.Group):
        for name, verb in sorted(command.commands.items()):
            yield from _command(verb, click.Context(verb, parent=context, info_name=name))
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{context.command_path} {usage}\n```\n"
    shared = {param.name for param in _parameters_of(SHARED)}
    yield from _options(param for param in command.params if param.expose_value or param.name not in shared)


def _options(parameters: Iterable[click.Parameter]) -> Iterator[str]:
    rows = []
    for param in parameters:
        if isinstance(param, click.Option):
            values = f" {param.make_metavar(click.Context(root))}" if not (param.is_flag or param.count) else ""
            rows.append((f"`{', '.join((*param.opts, *param.secondary_opts))}{values}`", _one_line(param.help)))
    if rows:
        yield from _table(("option", "meaning"), rows)


def _parameters_of(decorators: Iterable[Callable[[Callable[..., None]], Callable[..., None]]]) -> list[click.Parameter]:
    def nothing() -> None:
        """Takes the options."""

    for decorate in reversed(list(decorators)):
        decorate(nothing)
    return list(reversed(nothing.__click_params__))  # type: ignore[attr-defined]


def error_codes() -> Iterator[str]:
    """The error tree, with what to do about each."""
    yield "# Errors\n"
    yield (
        "An error is four lines on standard error (what, where, why, fix), or one object with `--json`. "
        "`casparian explain CODE` prints what stands here.\n"
    )
    known = entries()
    rows = [
        (f"[`{each.code}`](#{each.code})", f"{each.exit_code}", _yes(each.transient), _one_line(each.__doc__))
        for each in errors.every_error()
    ]
    yield from _table(("error", "exit", "try again", "meaning"), rows)
    for entry in known.values():
        if entry.kind == "error":
            yield from _explained(entry)


def reason_codes() -> Iterator[str]:
    """Reasons and rejections, explained."""
    yield "# Reasons and rejections\n"
    for kind, title, says in (
        ("reason", "Reasons", "Every decision to run or skip a file is stored with one of these."),
        ("rejection", "Rejections", "Every row in quarantine has one of these, or one of its parser's own."),
    ):
        yield f"## {title}\n"
        yield f"{says}\n"
        for entry in entries().values():
            if entry.kind == kind:
                yield from _explained(entry)


def _explained(entry: Entry) -> Iterator[str]:
    yield f"### `{entry.code}`\n"
    yield f"{entry.meaning}\n"
    for title, items in (("Usual causes", entry.causes), ("What to do", entry.steps)):
        yield f"{title}:\n"
        yield "\n".join(f"- {f'`{item}`' if item.startswith('casparian ') else item}" for item in items) + "\n"


def a_topic(name: str) -> Callable[[], Iterator[str]]:
    """A page of the manual as it is."""
    return lambda: iter([topics.topic(name)])


def answers() -> Iterator[str]:
    """The JSON Schemas of answers, as tables."""
    yield "# Answers in JSON\n"
    yield (
        "The name stands in `schema`. `casparian help schemas NAME` prints the JSON Schema; all of them are in the "
        "package, in `manual/schemas.json`.\n"
    )
    for name, body in cli_answers.schemas().items():
        yield f"## `{name}`\n"
        yield f"{body['title']}\n"
        properties = [(key, value) for key, value in body["properties"].items() if key != "schema"]
        if properties:
            yield from _table(("key", "type"), ((f"`{key}`", _kind(value)) for key, value in properties))


def _kind(body: dict[str, Any]) -> str:
    """The type of a property in words."""
    if "$ref" in body:
        return body["$ref"].rpartition("/")[2]
    if "anyOf" in body:
        return " or ".join(_kind(each) for each in body["anyOf"])
    kind = body.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(body.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else kind


def schema_file() -> str:
    """What `manual/schemas.json` holds."""
    return json.dumps(cli_answers.schemas(), separators=(",", ":")).replace('"casparian.', '\n"casparian.') + "\n"


def api() -> Iterator[str]:
    """The rules of the control API, and every path."""
    yield topics.topic("api")
    yield "## Every path\n"
    yield "[The document](openapi.json) says what each takes and answers.\n"
    rows = (
        (
            f"`{path_of(each.name)}`",
            "GET, POST" if may_be_got(each) else "POST",
            f"`{scope_of(each)}`"
            + (" or `operate`" if each.effect is Effect.READ and (each.reads or each.writes) else ""),
            each.summary,
        )
        for each in openapi.remote_operations()
    )
    yield from _table(("path", "methods", "scope", "meaning"), rows)


def openapi_file() -> str:
    """What `reference/openapi.json` holds: the document that a service gives out itself."""
    document = openapi.document(openapi.remote_operations())
    # Programs read it; lines are for whoever compares two versions.
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def man_pages() -> dict[Path, str]:
    """Every man page by its file: one for the product, one for each command with its verbs."""
    context = click.Context(root, info_name="casparian")
    contexts = [context]
    for entry in COMMANDS:
        command = root.get_command(context, entry.name)
        assert command is not None
        contexts.append(click.Context(command, parent=context, info_name=entry.name))
    return {MAN / f"{man.page_name(each)}.1": man.page(each) for each in contexts}


def all_settings() -> Iterator[str]:
    """Every setting with its default."""
    yield "# Settings\n"
    yield (
        "Later wins: default, the home's `config.toml`, the case folder's, the variable `CASPARIAN__SECTION__KEY`, "
        "`--set section.key=value`. `casparian config show --origin` says where each value comes from.\n"
    )
    says = _attribute_docstrings(Path(settings.__file__))
    rows = []
    for section in msgspec.structs.fields(settings.Settings):
        for field in msgspec.structs.fields(section.type):
            default = f"`{field.default!r}`".replace("'", '"')
            rows.append((f"`{section.name}.{field.name}`", default, says[section.type.__name__, field.name]))
    yield from _table(("setting", "default", "meaning"), rows)


def _attribute_docstrings(path: Path) -> dict[tuple[str, str], str]:
    """The text under each attribute, by class and name."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            for before, after in zip(node.body, node.body[1:], strict=False):
                if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr):
                    found[node.name, ast.unparse(before.target)] = _one_line(ast.literal_eval(after.value))
    return found


def tables() -> Iterator[str]:
    """The reserved columns and the control tables."""
    yield "# Columns and tables\n"
    yield "The columns that every row has are on [a page of their own](row-columns.md).\n"
    yield "## Control tables\n"
    yield "`casparian sql` reads them beside the tables and `quarantine.TABLE`.\n"
    for table in PUBLISHED.values():
        yield f"### `{table.name}`\n"
        yield f"{table.says}\n"
        rows = ((f"`{column.name}`", f"{column.type}", column.says) for column in table.columns)
        yield from _table(("column", "type", "meaning"), rows)


def operations() -> Iterator[str]:
    """The registry: what every front end can ask."""
    yield "# Operations\n"
    yield "Every verb of the product, once; each front end is a face of this list.\n"
    rows = ((f"`{each.name}`", each.effect.value, each.summary) for each in index.every())
    yield from _table(("operation", "effect", "meaning"), rows)


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "commands.md": commands,
    "errors.md": error_codes,
    "reasons.md": reason_codes,
    "exit-codes.md": a_topic("exit-codes"),
    "row-columns.md": a_topic("row-columns"),
    "environment.md": a_topic("environment"),
    "formats.md": a_topic("formats"),
    "answers.md": answers,
    "settings.md": all_settings,
    "tables.md": tables,
    "operations.md": operations,
    "api.md": api,
    "protocol.md": protocol,
}


def page(name: str) -> str:
    """The text of one page as it should be."""
    return "<!-- Made by docs/generate.py; do not edit. -->\n\n" + "\n".join(PAGES[name]()).rstrip() + "\n"


def made() -> dict[Path, str]:
    """Every file that is made here, with what it should hold."""
    pages = {REFERENCE / name: page(name) for name in PAGES}
    pages[REFERENCE / "protocol-vectors.json"] = vectors()
    pages[REFERENCE / "openapi.json"] = openapi_file()
    return pages | man_pages() | {PACKAGE / "manual" / "schemas.json": schema_file()}


def stale() -> list[str]:
    """The files that are missing or differ, and files in our folders that nothing here makes."""
    expected = made()
    there = {path for folder in (REFERENCE, MAN) for path in folder.glob("*")}
    differs = {path for path, text in expected.items() if not path.exists() or path.read_text(encoding="utf-8") != text}
    return sorted(f"{path.parent.name}/{path.name}" for path in differs | (there - expected.keys()))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [header, ["---"] * len(header), *rows]
    yield "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _yes(claim: bool) -> str:
    return "yes" if claim else "no"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def main(arguments: Sequence[str]) -> int:
    """Write every file, or with `--check` exit 1 when one is stale."""
    if "--check" in arguments:
        found = stale()
        for name in found:
            sys.stderr.write(f"{name} is stale: run docs/generate.py\n")
        return 1 if found else 0
    for path, text in made().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
