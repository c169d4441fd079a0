"""Whether every line of a batch's input file is a request, before any of them is answered."""

from collections.abc import Awaitable, Callable
from typing import Any

from services.gateway.batches.lines import LineError, read_line
from shared.store.batches import Batch
from shared.store.files import Files

_PAGE = 100
_MOST_ERRORS = 20


def batch_error(code: str, message: str, line: int | None, param: str | None = None) -> dict[str, Any]:
    """What is wrong with a batch, or with one of its lines, which are counted from 1."""
    return {"code": code, "message": message, "param": param, "line": line}


async def validated(
    batch: Batch, files: Files, most_lines: int, renew: Callable[[], Awaitable[None]]
) -> tuple[int, list[dict[str, Any]]]:
    """How many requests the input file holds, and what is wrong with the first of those that are none.

    `renew` is called between pages of lines, so that whoever validates keeps the batch.
    """
    errors: list[dict[str, Any]] = []
    custom_ids: set[str] = set()
    number = position = 0
    ended = False
    while len(errors) < _MOST_ERRORS and number <= most_lines:
        page = await files.lines(batch.input_file_id, position, _PAGE)
        if not page:
            break
        position += len(page)
        for text in page:
            if ended or not text.strip():
                # Only the end of the last line may follow.
                if ended or text.strip("\r"):
                    errors.append(batch_error("invalid_json_line", "This line is blank.", number + 1))
                ended = True
                continue
            number += 1
            try:
                custom_id = read_line(text, batch.endpoint).custom_id
                if custom_id in custom_ids:
                    raise LineError("duplicate_custom_id", "This custom_id was used by an earlier line.", "custom_id")
                custom_ids.add(custom_id)
            except LineError as error:
                errors.append(batch_error(error.code, error.message, number, error.param))
        await renew()
    if number > most_lines:
        errors.append(batch_error("too_many_tasks", f"A batch has at most {most_lines} lines here.", None))
    elif not number and not errors:
        errors.append(batch_error("empty_file", "The input file is empty, or was deleted.", None))
    return number, errors[:_MOST_ERRORS]
