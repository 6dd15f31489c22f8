"""Writes docs/reference/ from the product itself; with `--check` only says which pages are stale."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click
import msgspec

from casparian_flow import settings
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import SHARED
from casparian_flow.clients.cli.root import COMMANDS, root
from casparian_flow.core import errors, reasons
from casparian_flow.core.lineage import LINEAGE_SAYS
from casparian_flow.operations import index
from casparian_flow.store.published import PUBLISHED

REFERENCE = Path(__file__).parent / "reference"
EXIT_CODES = {
    0: "Done; nothing is in the way.",
    1: "It failed; the error says why.",
    2: "The request itself is wrong: an option, a setting, a URI.",
    3: "Finished, but rows were quarantined or files failed.",
    4: "A person must approve first.",
    5: "Nothing of that name exists.",
    6: "Another process holds the home.",
    7: "Something does not match its digest or its contract.",
    8: "Aborted.",
    9: "The parser's environment is not available here.",
    130: "Stopped by the keyboard.",
    141: "The reader of the output went away.",
}


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
    yield from _options(param for param in command.params if param.expose_value)


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
    """The error tree and the exit codes."""
    yield "# Errors and exit codes\n"
    yield "An error is four lines on standard error (what, where, why, fix), or one object with `--json`.\n"
    yield "## Exit codes\n"
    yield from _table(("code", "meaning"), ((f"{code}", says) for code, says in EXIT_CODES.items()))
    yield "## Error codes\n"
    rows = [
        (
            f"`{each.code}`",
            f"{each.exit_code}",
            "yes" if each.transient else "no",
            _one_line(each.__doc__),
            _cell(each.hint),
        )
        for each in every_error()
    ]
    yield from _table(("error", "exit", "try again", "meaning", "what to do"), rows)
    yield "## Reason codes\n"
    yield "Every decision to run or skip a file is stored with one of these.\n"
    for title, codes in (("Run", reasons.RunReason), ("Skip", reasons.SkipReason)):
        yield f"{title}: {', '.join(f'`{code}`' for code in codes)}.\n"


def every_error() -> list[type[errors.CasparianError]]:
    """The tree in the order of its file, then the errors that other modules add to it, by code."""
    list(index.every())
    tree = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.CasparianError)]
    return tree + sorted(set(_below(errors.CasparianError)) - set(tree), key=lambda each: each.code)


def _below(kind: type[errors.CasparianError]) -> Iterator[type[errors.CasparianError]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("casparian_flow."):
            yield each
        yield from _below(each)


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
    yield "## Reserved columns\n"
    yield "Every row of every table carries them. The prefix `_cf_` is reserved: a parser that uses it is refused.\n"
    yield from _table(("column", "meaning"), ((f"`{name}`", says) for name, says in LINEAGE_SAYS.items()))
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
    "settings.md": all_settings,
    "tables.md": tables,
    "operations.md": operations,
}


def page(name: str) -> str:
    """The text of one page as it should be."""
    return "<!-- Made by docs/generate.py; do not edit. -->\n\n" + "\n".join(PAGES[name]()).rstrip() + "\n"


def stale() -> list[str]:
    """The pages whose file is missing or differs, and files that no page owns."""
    there = {path.name for path in REFERENCE.glob("*")}
    differs = [
        name for name in PAGES if name not in there or (REFERENCE / name).read_text(encoding="utf-8") != page(name)
    ]
    return sorted([*differs, *(there - PAGES.keys())])


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
    """Write all pages, or with `--check` exit 1 when one is stale."""
    if "--check" in arguments:
        for name in stale():
            sys.stderr.write(f"docs/reference/{name} is stale: run docs/generate.py\n")
        return 1 if stale() else 0
    REFERENCE.mkdir(exist_ok=True)
    for name in PAGES:
        (REFERENCE / name).write_text(page(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
