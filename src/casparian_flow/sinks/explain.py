"""The README in a table's folder, for whoever finds the folder without the program that wrote it."""

from __future__ import annotations

from casparian_flow.sinks.durable import make_folder, put_if_absent, sync_folder
from casparian_flow.sinks.folder_format import Format
from casparian_flow.sinks.layout import TableFolder

_TEXT = """\
This folder holds one table, written by Casparian Flow. No server and no other file is needed to read it.

Do not read it with a pattern such as **/*{suffix}: a glob sees history. It also finds rows that were superseded,
undone, or never committed. The log says which files count:

  _cf/log/00000000000000000001.json      one file per commit, numbered from 1
  _cf/checkpoint/                        summaries of the log; they may be ignored or deleted
  v1/ v2/ ...                            the rows, one folder per version of the table's contract

{how_to_read}

To find the current rows:
  1. Read the log files in order: 1, 2, 3 ... Stop before the first number that is missing.
  2. In each, take "body". First forget the rows of every job in removes.jobs and the files in removes.files.
     Then remember the files in "adds" (paths relative to this folder).
  3. Read the remembered files, by column name. In a file that lists several jobs, leave out the rows whose _cf_job_id
     was forgotten. A file all of whose jobs were forgotten can be left out as a whole. A job whose file is added again
     by a later log file than the one that forgot it counts again: a commit was undone.
Stopping after an earlier number gives the table as it was then.

Each added file comes with its size and its BLAKE3 digest. Each log file ends with the digest of its own body.
With the program: casparian tables, casparian sql. With its library, where F is the folder two above this one:
  from casparian_flow.core.outputs import Role; from casparian_flow.sinks.uri import open_sink
  open_sink("{scheme}://F").read("<this folder's name>", Role.ACCEPTED)
Columns that start with _cf_ say where each row comes from.
"""


def write_readme(folder: TableFolder, form: Format) -> None:
    """Explain the folder, which is created if need be, unless there is an explanation."""
    if folder.readme.exists():
        return
    make_folder(folder.log)
    text = _TEXT.format(suffix=form.suffix, how_to_read=form.how_to_read, scheme=form.suffix.removeprefix("."))
    put_if_absent(folder.readme, text.encode())
    sync_folder(folder.readme.parent)
