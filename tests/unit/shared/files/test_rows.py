import json
from pathlib import Path
from typing import Any

import pytest

from shared.files import rows as module
from shared.files.rows import UnreadableRow, rows

VALUES = [{"text": "one\u2028two\u2029three\u0085four ☂"}, {"text": "é"}]
LINES = "".join(json.dumps(value, ensure_ascii=False) + "\r\n\r\n" for value in VALUES)
SHAPES = [LINES, json.dumps(VALUES, ensure_ascii=False), json.dumps(VALUES, ensure_ascii=False, indent=1)]


def read(file: Path, content: bytes) -> list[Any]:
    file.write_bytes(content)
    return [row.value for row in rows(file)]


@pytest.mark.parametrize("text", SHAPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_lines_and_arrays_in_every_encoding_that_says_what_it_is(tmp_path: Path, text: str, encoding: str) -> None:
    assert read(tmp_path / "a.jsonl", text.encode(encoding)) == VALUES


@pytest.mark.parametrize("codec", ["utf-16-be", "utf-32-be"])
def test_the_other_byte_order(tmp_path: Path, codec: str) -> None:
    assert read(tmp_path / "a.jsonl", ("\ufeff" + LINES).encode(codec)) == VALUES


def test_one_document_over_several_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "a.json", json.dumps(VALUES[0], indent=2).encode()) == [VALUES[0]]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path / "a.jsonl", b"\xef\xbb\xbf \n\n") == []


LATIN = '{"a": 1}\n{"a": "é"}\n'.encode("latin-1")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (LATIN, r"a\.jsonl, line 2: not UTF-8 \(byte 0xe9 at 8\).*iconv -f windows-1252 -t utf-8 "),
        ('[{"a": 1},\n{"a": "é"},\n{"a": 2}]'.encode("latin-1"), r"line 2: not UTF-8"),
        ('{"a": 1}\n'.encode("utf-16-le"), r"line 1: UTF-16 without its mark.*iconv -f utf-16le"),
        ('{"a": "xx"}'.encode("utf-16")[:-1], r"not UTF-16 after line 0"),
        (b'{"a": 1}\n{"a": \n', r"line 2: not JSON"),
        (b'{"a": \n{"a": 1}\n', r"line 1: not JSON"),
        (b'[{"a": 1},\n{"a": 1]\n', r"a\.jsonl: not JSON: .*line 2"),
        (b'{"a": 1}\n' + b"[" * 100_000 + b"\n", r"line 2: cannot be read as JSON"),
        (b'{"a": 1}\n' + b"1" * 5000 + b"\n", r"line 2: cannot be read as JSON"),
        (b"prompt,answer\nWhy?,So.\n", r"line 1: not JSON.*one to a line or in one list"),
        (b"\x1f\x8b\x08\x00", "gunzip"),
        (b"PAR1\x00\x00", r'read_parquet\(".*a\.jsonl"\)'),
    ],
)
def test_what_is_no_text_of_json_is_refused_with_its_place(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(UnreadableRow, match=complaint):
        read(tmp_path / "a.jsonl", content)


def test_a_bad_line_does_not_hide_the_good_ones(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LATIN + b'{"a": 3}\n')
    first, second, third = rows(tmp_path / "a.jsonl")
    assert (first.value, third.value) == ({"a": 1}, {"a": 3})
    with pytest.raises(UnreadableRow):
        _ = second.value


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n{"a": 10}\n')
    with pytest.raises(UnreadableRow, match="line 2: longer than 9 bytes"):
        list(rows(file, 9))
    monkeypatch.setattr(module, "LONGEST_DOCUMENT", 20)
    file.write_text('[\n{"a": 10}\n,{"a": 10}\n]\n')
    with pytest.raises(UnreadableRow, match="not one object a line"):
        list(rows(file))
