"""The results folder: what an evaluation has found so far, kept through a kill at any moment.

manifest.json     what all rows share; another plan or question set asks for another folder
answers.jsonl     rows without the judge, appended one by one
evolutions.jsonl  each evolution with its events, as `darwin export --from` reads them
failures.jsonl    evolutions that failed
judged.jsonl      the judge's scores, appended as they come
rows.jsonl        answers with the judge's scores: what the report reads
"""

import json
import os
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Self

from filelock import FileLock, Timeout

from cli.console import CommandError
from cli.evaluation.rows import Row

RowKey = tuple[str, str, int]
"""(cell, question, seed)"""


class FolderError(CommandError):
    """The results folder cannot be used for this."""


def key_of(row: Row) -> RowKey:
    return row.cell, row.question, row.seed


class Log:
    """A JSONL file that is only ever appended to, each line durable before `append` returns.

    A last line that was cut off by a kill is removed when the log is opened.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._repair()
        self._stream: IO[bytes] = file.open("ab")

    def append(self, *values: Any) -> None:
        lines = "".join(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n" for value in values)
        self._stream.write(lines.encode())
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[Any]:
        with self._file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def _repair(self) -> None:
        if not self._file.exists():
            return
        with self._file.open("rb+") as stream:
            content = stream.read()
            stream.truncate(content.rfind(b"\n") + 1)


class Folder:
    """One evaluation's results; use as a context manager, which keeps other writers out.

    `id` distinguishes evaluations that share a gateway.

    Raises:
        FolderError: another process writes here, or the folder holds results of something else.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = FileLock(path / ".lock")
        self._manifest = manifest

    def __enter__(self) -> Self:
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise FolderError(f"another evaluation writes to {self.path}") from error
        try:
            self._check_manifest()
        except BaseException:
            self._lock.release()
            raise
        self.answers = Log(self.path / "answers.jsonl")
        self.evolutions = Log(self.path / "evolutions.jsonl")
        self.failures = Log(self.path / "failures.jsonl")
        self.judged = Log(self.path / "judged.jsonl")
        return self

    def __exit__(self, *_: object) -> None:
        for log in (self.answers, self.evolutions, self.failures, self.judged):
            log.close()
        self._lock.release()

    def rows(self) -> list[Row]:
        """Every answered row, in the order of answering."""
        return [Row.model_validate(value) for value in self.answers]

    def attempts(self) -> Counter[RowKey]:
        """How often each row failed."""
        return Counter((failure["cell"], failure["question"], failure["seed"]) for failure in self.failures)

    def write_rows(self, rows: Iterable[Row]) -> None:
        """Replaces rows.jsonl, in one step."""
        write_atomically(self.path / "rows.jsonl", "".join(f"{row.model_dump_json()}\n" for row in rows))

    def _check_manifest(self) -> None:
        file = self.path / "manifest.json"
        if not file.exists():
            write_atomically(file, json.dumps({"id": uuid.uuid4().hex, **self._manifest}, indent=2))
        held = json.loads(file.read_text("utf-8"))
        different = [name for name, value in self._manifest.items() if held.get(name) != value]
        if different:
            raise FolderError(
                f"{self.path} holds results with other {' and '.join(different)}: take another folder, or the same "
                "plan and questions"
            )
        self.id: str = held["id"]


def write_atomically(file: Path, text: str) -> None:
    """Writes beside `file` and renames: a reader sees the old or the new text."""
    partial = file.with_name(f".{file.name}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)
