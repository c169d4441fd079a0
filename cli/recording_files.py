"""Files of recorded evolutions."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.process.settings import reasons
from shared.records.history import RecordedEvolution


class NotRecorded(Exception):
    """A file does not hold evolutions with their events; the message says where and why."""


def read(path: Path) -> Iterator[RecordedEvolution]:
    """The evolutions of a file: one JSON document, or one in each line.

    Raises:
        NotRecorded: some document is none.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.readline()
        lines = chain([head], file)
        texts = enumerate(lines, 1) if _is_json(head) else [(1, b"".join(lines))]
        for number, text in texts:
            if text.strip():
                yield _parsed(text, f"{path}, line {number}")


def recorded(document: Any, where: str) -> RecordedEvolution:
    """Raises `NotRecorded` where the document, which came from `where`, is none."""
    try:
        return RecordedEvolution.model_validate(document)
    except ValidationError as error:
        raise NotRecorded(f"{where} is no evolution with its events: {reasons(error)[0]}") from None


def _parsed(text: bytes, where: str) -> RecordedEvolution:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise NotRecorded(f"{where} is not JSON: {error}") from None
    return recorded(document, where)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
