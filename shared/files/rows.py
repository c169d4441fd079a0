"""Rows of a text file: a JSON array, one JSON document, or JSON lines, in UTF-8, or in UTF-16 or UTF-32 with its mark.

A line ends at a line feed and at nothing else: U+2028, U+2029 and U+0085 may stand within JSON strings.
"""

import codecs
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

LONGEST_DOCUMENT = 256 * 1024**2
"""Bytes of a file that is one JSON array or document; JSON lines have no such limit."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # it begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_AS_LINES = 'pandas.read_{0}("{1}").to_json("rows.jsonl", orient="records", lines=True)'
_FOREIGN = (
    (b"\x1f\x8b", "compressed: unpack it by gunzip"),
    (b"\x28\xb5\x2f\xfd", "compressed: unpack it by zstd -d"),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"PAR1", "Parquet: write it as JSON lines, such as by " + _AS_LINES.format("parquet", "{file}")),
    (b"ARROW1", "Arrow: write it as JSON lines, such as by " + _AS_LINES.format("feather", "{file}")),
)


class UnreadableRow(ValueError):
    """A row, or a whole file, is no JSON text; the message says where and what to do."""


@dataclass(frozen=True)
class JsonItem:
    """A value that was read with the whole of its file."""

    value: Any


@dataclass(frozen=True)
class FileRow:
    """What stands at one place of a file: `where` names file and line, or item of an array. `source` is a line's text,
    and `problem` why a line is no text."""

    where: str
    source: str | JsonItem
    problem: str = ""

    @property
    def text(self) -> str:
        """The line; raises UnreadableRow where it is none."""
        if self.problem:
            raise UnreadableRow(f"{self.where}: {self.problem}")
        return self.source if isinstance(self.source, str) else ""

    @property
    def value(self) -> Any:
        """The row as a JSON value; raises UnreadableRow, which names the place."""
        return self.source.value if isinstance(self.source, JsonItem) else _parsed(self.text, self.where)


def rows(file: Path, longest: int = LONGEST_DOCUMENT) -> Iterator[FileRow]:
    """The rows of `file` in order, without blank lines; a bad line among JSON lines shows when its value is asked for.

    Raises:
        UnreadableRow: the file is no text, a line is longer than `longest` (bytes; characters of UTF-16 and UTF-32),
            or a JSON array is larger than `LONGEST_DOCUMENT`.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        lines = _lines(stream, file, longest)
        first = next(lines, None)
        if first is None:
            return
        # An array or a document over several lines; a first line of JSON lines is an object by itself.
        whole = not first.problem and not _is_object(first.text)
        together = chain([first], lines)
        yield from _document(file, together) if whole else together


def _document(file: Path, lines: Iterator[FileRow]) -> Iterator[FileRow]:
    """The items of an array, or the one document; the lines as they are where together they are neither."""
    kept, size = [], 0
    for line in lines:
        kept.append(line)
        size += len(line.text)
        if size > LONGEST_DOCUMENT:
            raise UnreadableRow(f"{file}: more than {LONGEST_DOCUMENT // 1024**2} MiB and not one object a line")
    try:
        document = _parsed("".join(line.text for line in kept), str(file))
    except UnreadableRow:
        if kept[0].text.lstrip().startswith("["):
            raise
        yield from kept
        return
    if isinstance(document, list):
        yield from (FileRow(f"{file}, item {number}", JsonItem(item)) for number, item in enumerate(document, 1))
    else:
        yield FileRow(kept[0].where, JsonItem(document))


def _lines(stream: IO[bytes], file: Path, longest: int) -> Iterator[FileRow]:
    head = stream.read(8)
    for mark, what in _FOREIGN:
        if head.startswith(mark):
            raise UnreadableRow(f"{file} is {what.format(file=file)}")
    mark, encoding = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", "utf-8"))
    stream.seek(len(mark) if encoding == "utf-8" else 0)
    text = stream if encoding == "utf-8" else io.TextIOWrapper(stream, encoding, newline="\n")
    number = 0
    while True:
        number += 1
        try:
            line = text.readline(longest + 1)
        except UnicodeError as error:
            raise UnreadableRow(f"{file}: not {encoding.upper()} after line {number - 1}: {error}") from None
        if len(line) > longest:
            raise UnreadableRow(f"{file}, line {number}: longer than {longest} bytes, the limit")
        if not line:
            return
        if line.strip():
            yield _row(line, f"{file}, line {number}", file)


def _row(line: bytes | str, where: str, file: Path) -> FileRow:
    try:
        text = line if isinstance(line, str) else line.decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x} at {error.start + 1}"
        problem = f"not UTF-8 ({byte}): write it anew, such as by iconv -f windows-1252 -t utf-8 {file} > utf8.jsonl"
        return FileRow(where, "", problem)
    if "\0" in text:
        problem = f"UTF-16 without its mark: write it anew, such as by iconv -f utf-16le -t utf-8 {file} > utf8.jsonl"
        return FileRow(where, "", problem)
    return FileRow(where, text)


def _is_object(text: str) -> bool:
    try:
        return isinstance(_parsed(text, ""), dict)
    except UnreadableRow:
        return False


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableRow(
            f"{where}: not JSON: {error}; rows are JSON objects, one to a line or in one list (docs/files.md)"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UnreadableRow(f"{where}: cannot be read as JSON: {error}") from None
