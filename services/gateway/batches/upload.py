"""A form with one file, taken line by line as it arrives, so that no more than a line and a chunk are held."""

import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.errors import InvalidRequest

_MAX_FIELD = 1000
_FIELDS = {"purpose", "expires_after[anchor]", "expires_after[seconds]"}


class Upload:
    """`fields` and `filename` are complete once `lines` has ended."""

    def __init__(self, request: Request, max_line_bytes: int) -> None:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise InvalidRequest("send a form (multipart/form-data) with the fields purpose and file")
        self.fields: dict[str, str] = {}
        self.filename = ""
        self._request = request
        self._max_line_bytes = max_line_bytes
        self._name = b""
        self._header, self._value = b"", b""
        self._part = bytearray()
        self._found: list[bytes] = []
        self._in_file = self._had_file = self._ended = False
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._add("_header", data[start:end]),
            "on_header_value": lambda data, start, end: self._add("_value", data[start:end]),
            "on_header_end": self._take_header,
            "on_headers_finished": self._check,
            "on_part_data": lambda data, start, end: self._take(data[start:end]),
            "on_part_end": self._finish,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(options[b"boundary"], callbacks)
        except FormParserError as error:
            raise InvalidRequest(f"the form cannot be read: {error}") from None

    async def lines(self) -> AsyncIterator[list[str]]:
        """The file's lines as they come, without the line feeds between them.

        Raises:
            InvalidRequest: the form is broken, or is not what uploads look like.
        """
        async for chunk in self._request.stream():
            try:
                if chunk:
                    self._parser.write(chunk)
                found, self._found = [line.decode() for line in self._found], []
            except FormParserError:
                raise InvalidRequest("the form cannot be read: it is not multipart/form-data") from None
            except UnicodeDecodeError:
                raise InvalidRequest("file must be text in UTF-8", field="file") from None
            if found:
                yield found
        if not self._ended:
            raise InvalidRequest("the form ends before its last boundary")
        if not self._had_file:
            raise InvalidRequest("file is missing", field="file")

    def _add(self, name: str, data: bytes) -> None:
        setattr(self, name, getattr(self, name) + data)

    def _begin(self) -> None:
        self._name, self._part, self._in_file = b"", bytearray(), False

    def _take_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._name = options.get(b"name", b"")
            if self._name == b"file":
                name = options.get(b"filename", b"").decode(errors="replace")
                self.filename = re.sub(r"[^\x20-\x7e\x80-\U0010ffff]", "", name)[:255] or "file.jsonl"
        self._header = self._value = b""

    def _check(self) -> None:
        name = self._name.decode(errors="replace")
        if name == "file":
            if self._had_file:
                raise InvalidRequest("file is given twice", field="file")
            self._in_file = self._had_file = True
        elif name not in _FIELDS:
            raise InvalidRequest(f"{name[:100]} is not supported: leave it out", field=name[:100])
        elif name in self.fields:
            raise InvalidRequest(f"{name} is given twice", field=name)

    def _take(self, data: bytes) -> None:
        if not self._in_file:
            self._part += data
            if len(self._part) > _MAX_FIELD:
                raise InvalidRequest(f"{self._name.decode()} is too long", field=self._name.decode())
            return
        *complete, rest = data.split(b"\n")
        for end in complete:
            self._found.append(bytes(self._part + end))
            self._part.clear()
        self._part += rest
        if len(self._part) > self._max_line_bytes:
            raise InvalidRequest(f"a line of the file may have {self._max_line_bytes} bytes at most", field="file")

    def _finish(self) -> None:
        if self._in_file:
            self._found.append(bytes(self._part))
        else:
            self.fields[self._name.decode()] = self._part.decode(errors="replace")

    def _end(self) -> None:
        self._ended = True
