"""Forms with a file, however they are cut on the way."""

import time
from typing import Any

import pytest
from fastapi import Request

from services.gateway.batches.upload import Upload
from shared.errors import InvalidRequest

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="caf\xc3\xa9.jsonl"\r\n\r\n%b\r\n'
    b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b--\r\n'
)


def uploaded(form: bytes, size: int, max_line_bytes: int = 2**20) -> Upload:
    """An upload whose form comes in pieces of so many bytes."""
    pieces = iter([form[begin : begin + size] for begin in range(0, len(form), size)])

    async def receive() -> Any:
        body = next(pieces, None)
        return {"type": "http.request", "body": body or b"", "more_body": body is not None}

    scope = {"type": "http", "headers": [(b"content-type", b"multipart/form-data; boundary=b")]}
    return Upload(Request(scope, receive), max_line_bytes)


async def lines_of(upload: Upload) -> list[str]:
    return [line async for lines in upload.lines() for line in lines]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("content", ["one\n\r\n\n-\r--\né\r\n--c\n", "", "\n", "last"])
async def test_lines_are_the_same_however_they_come(content: str, size: int) -> None:
    upload = uploaded(FORM % content.encode(), size)
    assert await lines_of(upload) == content.split("\n")
    assert (upload.filename, upload.fields) == ("café.jsonl", {"purpose": "batch"})


async def test_a_line_that_is_too_long() -> None:
    with pytest.raises(InvalidRequest, match="100 bytes"):
        await lines_of(uploaded(FORM % (b"x" * 101), 50, 100))


async def test_a_form_that_breaks_off() -> None:
    with pytest.raises(InvalidRequest, match="last boundary"):
        await lines_of(uploaded((FORM % b"x")[:-6], 50))


async def test_what_looks_like_boundaries_costs_no_more_than_it_is_long() -> None:
    begun = time.process_time()
    (line,) = await lines_of(uploaded(FORM % (b"\r" * 500_000), 65_536))
    assert len(line) == 500_000
    assert time.process_time() < begun + 5
