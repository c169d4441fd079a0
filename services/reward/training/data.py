"""Preference pairs from files of JSON: read, validated, split by prompt.

A row is in one of the shapes that `shared.files.shapes` knows, and may name its `split` and `source`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any

from services.reward.scorer import Conversation, ScoreItem
from shared.errors import InvalidRequest, NotFound
from shared.files.rows import UnreadableRow, rows
from shared.files.shapes import UnknownShape, preference

TRAIN = "train"
TEST = "test"
MAX_PAIRS = 200_000
MAX_LINE_BYTES = 4 * 1024**2
MAX_MESSAGES = 256
_MAX_SHOWN = 10

_LABEL = re.compile(r"[^|\n\r]{1,64}")


@dataclass(frozen=True)
class TrainingPair:
    """Two responses to one conversation, the better one first; `split` is `TRAIN` or `TEST`."""

    conversation: Conversation
    chosen: str
    rejected: str
    source: str
    split: str

    @property
    def id(self) -> str:
        """Equal for equal prompts and chosen responses only, 64 hexadecimal digits."""
        return ScoreItem(self.conversation, self.chosen).digest.hex()

    @property
    def blank(self) -> bool:
        return not self.chosen.strip() or not self.rejected.strip()

    @property
    def tied(self) -> bool:
        return not self.blank and self.chosen == self.rejected


@dataclass(frozen=True)
class Preferences:
    """Usable pairs, and how many were left out.

    `files` holds each file's pairs, `digests` its SHA-256. `blank` pairs have a response without text, which the
    quality reward scores without its head; `tied` ones twice the same text; `moved` ones were held out for their
    prompt's sake. `invalid` are messages that name file and line.
    """

    files: dict[Path, tuple[TrainingPair, ...]]
    digests: dict[Path, str]
    blank: int
    tied: int
    moved: int
    invalid: tuple[str, ...]

    @property
    def pairs(self) -> tuple[TrainingPair, ...]:
        return tuple(chain.from_iterable(self.files.values()))


def read_preferences(files: Sequence[Path], holdout: float, *, skip_invalid: bool = False) -> Preferences:
    """All pairs of `files`, each prompt on one side of the split only.

    A row's own `split` counts ("train", anything else is held out); of prompts without one a share of `holdout`, chosen
    by their digest, is held out. A prompt that is held out in one row is so in all.

    Raises:
        NotFound: no such file.
        InvalidRequest: bad lines, unless `skip_invalid`; too many pairs; or nothing left to learn from.
    """
    parsed: dict[Path, list[TrainingPair | str]] = {}
    for file in files:
        if not file.is_file():
            raise NotFound(f"no such file: {file}")
        parsed[file] = list(islice(_lines(file, holdout), MAX_PAIRS + 1))
    lines = list(chain.from_iterable(parsed.values()))
    invalid = tuple(line for line in lines if isinstance(line, str))
    if len(lines) > MAX_PAIRS:
        raise InvalidRequest(f"more than {MAX_PAIRS} pairs, the limit")
    if invalid and not skip_invalid:
        raise InvalidRequest(_listed(invalid))
    kept = {file: [line for line in of_file if isinstance(line, TrainingPair)] for file, of_file in parsed.items()}
    preferences = _usable(kept, invalid)
    if {pair.split for pair in preferences.pairs} != {TRAIN, TEST}:
        raise InvalidRequest("both a training and a held-out side need pairs; give more data or another holdout")
    return preferences


def _usable(files: Mapping[Path, Sequence[TrainingPair]], invalid: tuple[str, ...]) -> Preferences:
    pairs = list(chain.from_iterable(files.values()))
    held_out = {pair.conversation.digest for pair in pairs if pair.split == TEST}
    return Preferences(
        files={file: tuple(_disjoint(of_file, held_out)) for file, of_file in files.items()},
        digests={file: sha256(file.read_bytes()).hexdigest() for file in files},
        blank=sum(pair.blank for pair in pairs),
        tied=sum(pair.tied for pair in pairs),
        moved=sum(pair.split == TRAIN and pair.conversation.digest in held_out for pair in pairs),
        invalid=invalid,
    )


def _disjoint(pairs: Sequence[TrainingPair], held_out: Set[bytes]) -> Iterator[TrainingPair]:
    for pair in pairs:
        if not pair.blank and not pair.tied:
            yield replace(pair, split=TEST) if pair.conversation.digest in held_out else pair


def _lines(file: Path, holdout: float) -> Iterator[TrainingPair | str]:
    """A pair for every good row, a message for every bad one."""
    try:
        for row in rows(file, MAX_LINE_BYTES):
            try:
                yield _pair(row.value, file.stem, holdout)
            except UnreadableRow as error:
                yield str(error)
            except UnknownShape as error:
                yield f"{row.where}: {error}"
    except UnreadableRow as error:
        raise InvalidRequest(str(error)) from error


def _pair(row: Any, stem: str, holdout: float) -> TrainingPair:
    found = preference(row)
    if len(found.prompt) > MAX_MESSAGES:
        raise UnknownShape(f"prompt: must be 1 to {MAX_MESSAGES} messages")
    conversation = Conversation(found.prompt)
    own = _label(row, "split")
    split = own and (TRAIN if own == TRAIN else TEST)
    split = split or (TEST if _share(conversation) < holdout else TRAIN)
    return TrainingPair(conversation, found.chosen, found.rejected, _label(row, "source") or stem, split)


def _label(row: Mapping[str, Any], name: str) -> str | None:
    label = row.get(name)
    if label is None or (isinstance(label, str) and _LABEL.fullmatch(label)):
        return label
    raise UnknownShape(f"{name}: must be a text of 1 to 64 characters, without | and line breaks")


def _share(conversation: Conversation) -> float:
    """Uniform in [0, 1), by the prompt alone."""
    return int.from_bytes(conversation.digest[:8], "big") / 2**64


def _listed(messages: Sequence[str]) -> str:
    shown = "\n".join(islice(messages, _MAX_SHOWN))
    more = f"\nand {len(messages) - _MAX_SHOWN} more" if len(messages) > _MAX_SHOWN else ""
    return f"{len(messages)} bad lines:\n{shown}{more}\n--skip-invalid leaves them out"
