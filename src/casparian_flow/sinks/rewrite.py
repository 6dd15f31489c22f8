"""The rows that count of several files of one contract version, on their way into files that hold nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.errors import InvariantBroken, VerificationFailed
from casparian_flow.core.hashing import digest_of_file
from casparian_flow.core.lineage import JOB_ID
from casparian_flow.core.outputs import SealedFile
from casparian_flow.sinks.folder_format import Format
from casparian_flow.sinks.intact import check_file
from casparian_flow.sinks.layout import TableFolder
from casparian_flow.sinks.log import AddedFile, JobRows
from casparian_flow.sinks.rejects import Rejects, without
from casparian_flow.sinks.state import VisibleFile


class Rewrite:
    """Read once, in the order of the files; whose rows went where is counted on the way."""

    def __init__(
        self, folder: TableFolder, files: Sequence[VisibleFile], form: Format, dropped: Sequence[Rejects] = ()
    ) -> None:
        """Raises VerificationFailed if the first file, which tells the columns, cannot be read.

        The rows in `dropped` do not count.
        """
        self._folder = folder
        self._files = files
        self._format = form
        self._dropped = dropped
        self._runs: list[tuple[int, int]] = []
        """The rows that were read, as so many of one job after so many of another."""
        check_file(folder, files[0].file)
        with form.open(folder.path / files[0].file.name, files[0].file.digest) as data:
            self.schema = data.schema.remove_metadata()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows that count, in bounded memory.

        Raises VerificationFailed, perhaps after some rows, if a file is not the one that was sealed, has other columns
        than the first, or other rows than its commit says.
        """
        for visible in self._files:
            yield from self._batches_of(visible)

    def account_for(self, files: Sequence[SealedFile]) -> tuple[AddedFile, ...]:
        """The new files, which hold all that was read in its order, with the rows of each job in them."""
        if sum(file.rows for file in files) != sum(rows for _job, rows in self._runs):
            raise InvariantBroken(f"rows of {self._folder.path.name} went missing while they were rewritten")
        runs = iter(self._runs)
        job, left = 0, 0
        shares: list[Counter[int]] = []
        for file in files:
            shares.append(Counter())
            missing = file.rows
            while missing:
                if not left:
                    job, left = next(runs)
                taken = min(left, missing)
                shares[-1][job] += taken
                left -= taken
                missing -= taken
        live = {job for visible in self._files for job in visible.live}
        shares[-1].update(dict.fromkeys(live.difference(*shares), 0))  # who brought no row is still one of those behind
        return tuple(
            AddedFile(
                name=file.name,
                size=file.size,
                digest=file.digest,
                rows=file.rows,
                jobs=tuple(JobRows(job=job, rows=rows) for job, rows in sorted(share.items())),
            )
            for file, share in zip(files, shares, strict=True)
        )

    def _batches_of(self, visible: VisibleFile) -> Iterator[pa.RecordBatch]:
        file = visible.file
        path = self._folder.path / file.name
        check_file(self._folder, file)
        if digest_of_file(path) != file.digest:  # what is damaged must not get a new digest
            raise VerificationFailed(
                f"a data file of {self._folder.path.name} is not as it was sealed",
                where=str(path),
                why="its bytes changed since",
            )
        superseded = pa.array(sorted(visible.superseded), pa.int64())
        counted: Counter[int] = Counter()
        with self._format.open(path, file.digest) as data:
            if not data.schema.equals(self.schema):
                raise VerificationFailed(
                    f"a file of {self._folder.path.name} has other columns than its contract version", where=str(path)
                )
            for batch in data.batches(self.schema.names):
                jobs = batch.column(JOB_ID)
                runs = list(_runs(jobs))
                for job, rows in runs:
                    counted[job] += rows
                kept = batch.filter(pc.invert(pc.is_in(jobs, superseded))) if len(superseded) else batch
                if self._dropped:
                    kept = without(kept, self._dropped)
                self._runs += runs if kept is batch else _runs(kept.column(JOB_ID))
                yield pa.RecordBatch.from_arrays(kept.columns, schema=self.schema)
        if counted != _counts(file.jobs):
            raise VerificationFailed(
                f"a data file of {self._folder.path.name} holds other rows than its commit says",
                where=str(path),
                why=_difference(counted, _counts(file.jobs)),
            )


def _runs(jobs: pa.Array) -> Iterable[tuple[int, int]]:
    encoded = pc.run_end_encode(jobs)
    ends = encoded.run_ends.to_pylist()
    return zip(
        encoded.values.to_pylist(), (end - start for start, end in zip([0, *ends], ends, strict=False)), strict=True
    )


def _counts(jobs: Iterable[JobRows]) -> Counter[int]:
    return Counter({part.job: part.rows for part in jobs if part.rows})


def _difference(counted: Counter[int], said: Counter[int]) -> str:
    job = min(job for job in counted | said if counted[job] != said[job])
    return f"job {job} has {counted[job]} rows in it, and {said[job]} by its commit"
