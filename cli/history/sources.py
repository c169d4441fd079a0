"""Where a recording comes from: a file, standard input, or a running gateway."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from cli.client import Client
from cli.console import CommandError
from cli.history.recording import NotARecording, SavedRecording, parse

RecordingSource = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="An evolution's id, which needs --url, a recording, or - to read one.")
]
Url = Annotated[str | None, typer.Option(help="A running gateway, to ask for an id.")]

_LARGEST_BYTES = 512 * 1024 * 1024


def opened(source: str, url: str | None) -> SavedRecording:
    """The recording named by an id, where `url` is given, or else held by a file.

    Raises:
        CommandError: there is none, or it cannot be read.
    """
    if url is None:
        return parsed(_document(source), source)
    with Client(url, patience_s=15) as client:
        return parsed(client.recording(source), source)


def parsed(document: Any, where: str) -> SavedRecording:
    """Raises `CommandError` where the document, which came from `where`, is no recording."""
    try:
        return parse(document, where)
    except NotARecording as error:
        raise CommandError(str(error)) from error


def _document(source: str) -> Any:
    try:
        if source == "-":
            return _loaded(sys.stdin.buffer, "standard input")
        with Path(source).open("rb") as file:
            return _loaded(file, source)
    except FileNotFoundError as error:
        raise CommandError(f"there is no file {source}; if it is an id, say at which --url") from error
    except OSError as error:
        raise CommandError(str(error)) from error


def _loaded(file: BinaryIO, where: str) -> Any:
    text = file.read(_LARGEST_BYTES + 1)
    if len(text) > _LARGEST_BYTES:
        raise CommandError(f"{where} is larger than {_LARGEST_BYTES // 2**20} MiB")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{where} is not one JSON document: {error}") from error
