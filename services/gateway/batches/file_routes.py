"""`/v1/files`, as OpenAI's SDKs call it."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import StreamingResponse

from services.gateway.api.openapi import failures
from services.gateway.batches import bodies as out
from services.gateway.batches.upload import Upload
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from shared.errors import InvalidRequest, NotFound
from shared.store.files import File, FileLimits, Files

_PAGE = 500
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["purpose", "file"],
                "properties": {
                    "purpose": {"const": "batch"},
                    # Without a type, as OpenAPI 3.1 describes binary content: any value is the same text in a form.
                    "file": {"contentMediaType": "application/octet-stream"},
                    "expires_after[anchor]": {"const": "created_at"},
                    "expires_after[seconds]": {"type": "integer", "minimum": 3600, "maximum": 2_592_000},
                },
                "dependentRequired": {
                    "expires_after[anchor]": ["expires_after[seconds]"],
                    "expires_after[seconds]": ["expires_after[anchor]"],
                },
            }
        }
    },
}

FileId = Annotated[str, Path(max_length=256)]


class FileRoutes:
    """The routes of the files API."""

    def __init__(self, files: Files, settings: GatewaySettings) -> None:
        self._files = files
        self._settings = settings
        self._limits = FileLimits(
            settings.max_files_bytes_per_tenant, settings.max_files_bytes, settings.max_files_per_tenant
        )
        self.router = APIRouter(tags=["files"])
        add, one = self.router.add_api_route, "/v1/files/{file_id}"
        add(
            "/v1/files",
            self.create,
            methods=["POST"],
            summary="Upload a file",
            openapi_extra={"requestBody": _FORM},
            responses=failures(400, 401, 408, 413, 415, 421, 429, 500, 503),
        )
        reading = failures(400, 401, 404, 421, 429, 500, 503)
        add("/v1/files", self.listing, methods=["GET"], summary="List files", responses=reading)
        add(one, self.read, methods=["GET"], summary="Read what is known of a file", responses=reading)
        deleting = failures(400, 401, 404, 409, 421, 429, 500, 503)
        add(one, self.delete, methods=["DELETE"], summary="Delete a file", responses=deleting)
        text: dict[str, Any] = {"content": {"application/octet-stream": {"schema": {"type": "string"}}}}
        add(
            f"{one}/content",
            self.content,
            methods=["GET"],
            summary="Read a file",
            response_class=StreamingResponse,
            responses={200: text, **reading},
        )

    async def create(self, request: Request) -> out.FileObject:
        """Takes a file of requests for a batch (`purpose` is `batch`), a JSON object in each line."""
        upload = Upload(request, self._settings.max_body_bytes)
        now, count = time.time(), 0
        file = File(f"file-{uuid.uuid4().hex[:24]}", caller_of(request).tenant, "", "batch", now, now)
        try:
            first = True
            async for lines in upload.lines():
                count += len(lines)
                if count > self._settings.max_batch_lines + 1:
                    most = self._settings.max_batch_lines
                    raise InvalidRequest(f"file may have {most} lines at most", field="file")
                size = sum(len(line.encode()) for line in lines) + len(lines) - first
                await self._files.append(file, count - len(lines), lines, size, self._limits)
                first = False
            file = replace(file, filename=upload.filename, expires_at=now + self._ttl_s(upload.fields))
            file = await self._files.complete(file)
            if not file.bytes:
                raise InvalidRequest("file is empty", field="file")
        except BaseException:
            # Also where the caller hangs up; what cannot be removed now, the sweep removes.
            await asyncio.shield(self._files.remove(file.id))
            raise
        return out.FileObject.of(file)

    async def listing(self, request: Request, query: Annotated[out.FileQuery, Query()]) -> out.FileList:
        """The caller's files."""
        files = await self._files.listed(caller_of(request).tenant)
        if query.order == "desc":
            files.reverse()
        if query.after is not None:
            ids = [file.id for file in files]
            if query.after not in ids:
                raise NotFound(f"No such File object: {query.after}", field="after")
            files = files[ids.index(query.after) + 1 :]
        files = [file for file in files if query.purpose in (None, file.purpose)]
        page = [out.FileObject.of(file) for file in files[: query.limit]]
        first, last = (page[0].id, page[-1].id) if page else (None, None)
        return out.FileList(data=page, first_id=first, last_id=last, has_more=len(files) > query.limit)

    async def read(self, request: Request, file_id: FileId) -> out.FileObject:
        """What is known of a file."""
        return out.FileObject.of(await self._files.load(file_id, caller_of(request).tenant))

    async def delete(self, request: Request, file_id: FileId) -> out.FileDeleted:
        """Deletes a file, unless a batch that has not ended reads it (409)."""
        file = await self._files.load(file_id, caller_of(request).tenant)
        await self._files.remove(file.id)
        return out.FileDeleted(id=file.id)

    async def content(self, request: Request, file_id: FileId) -> StreamingResponse:
        """The file as it was sent, or as the batch wrote it."""
        file = await self._files.load(file_id, caller_of(request).tenant)
        # By the declared length a client sees where a file is deleted while it is read.
        headers = {"content-length": str(file.bytes)}
        return StreamingResponse(self._text(file), headers=headers, media_type="application/octet-stream")

    async def _text(self, file: File) -> AsyncIterator[str]:
        number, written = 0, file.purpose == "batch_output"
        while lines := await self._files.lines(file.id, number, _PAGE):
            # Uploaded lines have line feeds between them, written ones after them.
            yield "".join(f"{line}\n" for line in lines) if written else ("\n" if number else "") + "\n".join(lines)
            number += len(lines)

    def _ttl_s(self, fields: dict[str, str]) -> int:
        if fields.get("purpose") != "batch":
            said = "is missing" if "purpose" not in fields else "must be batch: other files have no use here"
            raise InvalidRequest(f"purpose {said}", field="purpose")
        given = {name: fields[f"expires_after[{name}]"] for name in ("anchor", "seconds") if _has(fields, name)}
        if not given:
            return self._settings.file_ttl_s
        try:
            seconds = given.get("seconds", "")
            after = out.ExpiresAfter.model_validate(
                given
                | {
                    "seconds": int(seconds)
                    if seconds.isascii() and seconds.isdecimal() and len(seconds) < 9
                    else seconds
                }
            )
        except ValidationError:
            raise InvalidRequest(
                f"expires_after needs anchor: created_at, and seconds: {out.LEAST_TTL_S} to {out.MOST_TTL_S}",
                field="expires_after",
            ) from None
        return after.within(self._settings.file_ttl_s, "expires_after.seconds")


def _has(fields: dict[str, str], name: str) -> bool:
    return f"expires_after[{name}]" in fields
