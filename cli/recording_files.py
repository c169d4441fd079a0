"""Files of recorded evolutions."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.files.rows import UnreadableRow, rows
from shared.process.settings import reasons
from shared.records.history import RecordedEvolution


class NotRecorded(Exception):
    """A file does not hold evolutions with their events; the message says where and why."""


def read(path: Path) -> Iterator[RecordedEvolution]:
    """The evolutions of a file: one JSON document, an array of them, or one in each line.

    Raises:
        NotRecorded: some document is none.
        OSError: the file cannot be read.
    """
    try:
        for row in rows(path, sys.maxsize - 1):
            yield recorded(row.value, row.where)
    except UnreadableRow as error:
        raise NotRecorded(str(error)) from None


def recorded(document: Any, where: str) -> RecordedEvolution:
    """Raises `NotRecorded` where the document, which came from `where`, is none."""
    try:
        return RecordedEvolution.model_validate(document)
    except ValidationError as error:
        raise NotRecorded(f"{where} is no evolution with its events: {reasons(error)[0]}") from None
