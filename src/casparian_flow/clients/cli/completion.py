"""Completion of words in a shell: what is offered, the script that asks for it, and where the script belongs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from casparian_flow.clients.cli.options import Options, Session
from casparian_flow.core.errors import CasparianError

SHELLS = ("bash", "zsh", "fish", "powershell")
VARIABLE = "_CASPARIAN_COMPLETE"
"""Set by the script to `SHELL_complete` when it asks."""
KINDS = {
    "code": "code",
    "contract": "contract",
    "job": "job",
    "jobs": "job",
    "key": "key",
    "parser": "parser",
    "plan": "plan",
    "plan_id": "plan",
    "rule": "rule",
    "sink": "sink",
    "sinks": "sink",
    "source": "source",
    "table": "table",
    "tables": "table",
    "tag": "tag",
    "tags": "tag",
    "topic": "topic",
    "words": "help",
}
"""What a parameter names, by the parameter's own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Where completion was put; `is_new` is false for a file that was there with the same text."""

    shell: str
    files: list[str]
    is_new: bool
    next: str


def answer(root: click.Command, instruction: str) -> None:
    """Write what the shell asked for. A word is being typed, so whatever goes wrong, nothing is said."""
    shell = instruction.removesuffix("_complete")
    kind = get_completion_class(shell)
    if kind is None or shell == instruction:
        return
    try:
        completer = kind(root, {"obj": Session()}, "casparian", VARIABLE)
        words, word = completer.get_completion_args()
        text = "\n".join(map(completer.format_completion, _items(completer, words, word)))
    except (click.ClickException, CasparianError, OSError, LookupError, ValueError):
        return
    if text:
        click.echo(text)


def _items(completer: ShellComplete, words: list[str], word: str) -> list[CompletionItem[str]]:
    from click.shell_completion import _resolve_context, _resolve_incomplete

    context = _resolve_context(completer.cli, completer.ctx_args, "casparian", words)
    asked, word = _resolve_incomplete(context, words, word)
    kind = KINDS.get(asked.name or "") if isinstance(asked, click.Parameter) else None
    if kind is None:
        return asked.shell_complete(context, word)
    found = [CompletionItem(name) for name in _names(_home_of(words), kind, word)]
    return found or asked.shell_complete(context, word)


def _names(home: Path | None, kind: str, word: str) -> list[str]:
    from casparian_flow.clients.cli.face import Face
    from casparian_flow.operations.home.complete import CompleteWord

    face = Face(Session(options=Options(home=home)))
    found: list[str] = face.ask("complete", CompleteWord(kind=kind, word=word)).names
    return found


def _home_of(words: list[str]) -> Path | None:
    """The home that the words so far name."""
    for at, word in enumerate(words):
        if word == "--home" and at + 1 < len(words):
            return Path(words[at + 1])
        if word.startswith("--home="):
            return Path(word.partition("=")[2])
    return None


def script(shell: str) -> str:
    """The script that a shell reads once; it asks the command for everything else."""
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(click.Command("casparian"), {}, "casparian", VARIABLE)
    text = kind.source_template % made.source_vars()
    match shell:
        case "bash":
            return f"{text}complete -o nosort -F {made.func_name} casp\n"
        case "zsh":
            text = text.replace("#compdef casparian", "#compdef casparian casp")
            return text.replace(f"compdef {made.func_name} casparian", f"compdef {made.func_name} casparian casp")
        case "fish":
            return f"{text}\ncomplete --command casp --wraps casparian;\n"
        case _:
            return text.replace("-CommandName casparian", "-CommandName casparian, casp")


def install(shell: str, env: Mapping[str, str]) -> Installed:
    """Put the script where the shell looks for it; what is there with the same text stays as it is."""
    text = script(shell)
    files = list(_files(shell, env))
    old = [path for path in files if path.is_file() and path.read_text(encoding="utf-8") == text]
    for path in files:
        if path not in old:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return Installed(shell=shell, files=[str(path) for path in files], is_new=old != files, next=_next(shell, files[0]))


def _files(shell: str, env: Mapping[str, str]) -> Iterator[Path]:
    home = Path(env.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111 the variable that shells go by
    data = Path(env.get("XDG_DATA_HOME") or home / ".local/share")
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    match shell:
        case "bash":  # it loads a file by the name of the command
            yield data / "bash-completion/completions/casparian"
            yield data / "bash-completion/completions/casp"
        case "zsh":
            yield data / "zsh/site-functions/_casparian"
        case "fish":
            yield config / "fish/completions/casparian.fish"
            yield config / "fish/completions/casp.fish"
        case _:
            yield config / "powershell/casparian.completion.ps1"


def _next(shell: str, file: Path) -> str:
    match shell:
        case "bash":
            return f"start a new shell; without the package bash-completion, add to ~/.bashrc: source {file}"
        case "zsh":
            return f"add to ~/.zshrc before compinit: fpath=({file.parent} $fpath)"
        case "fish":
            return "start a new shell"
        case _:
            return f"add to $PROFILE: . {file}"
