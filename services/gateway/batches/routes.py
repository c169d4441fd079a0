"""`/v1/files` and `/v1/batches`, as OpenAI's SDKs call them."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import StreamingResponse

from services.gateway.api.openapi import failures
from services.gateway.batches import bodies as out
from services.gateway.batches.upload import Upload
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from shared.errors import InvalidRequest, NotFound
from shared.store.batches import Batch, Batches
from shared.store.files import File, FileLimits, Files
from shared.telemetry.tracing import current_span

_WINDOW_S = 86_400
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
BatchId = Annotated[str, Path(max_length=256)]
After = Annotated[str | None, Query(max_length=256, description="The last id of the page before.")]


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

    async def listing(
        self,
        request: Request,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
        order: Literal["asc", "desc"] = "desc",
        purpose: Annotated[str | None, Query(max_length=64)] = None,
    ) -> out.FileList:
        """The caller's files."""
        files = await self._files.listed(caller_of(request).tenant)
        if order == "desc":
            files.reverse()
        if after is not None:
            ids = [file.id for file in files]
            if after not in ids:
                raise NotFound(f"No such File object: {after}", field="after")
            files = files[ids.index(after) + 1 :]
        files = [file for file in files if purpose in (None, file.purpose)]
        page = [out.FileObject.of(file) for file in files[:limit]]
        first, last = (page[0].id, page[-1].id) if page else (None, None)
        return out.FileList(data=page, first_id=first, last_id=last, has_more=len(files) > limit)

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
        return StreamingResponse(self._text(file), media_type="application/octet-stream")

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
        return within(after, self._settings, "expires_after.seconds")


class BatchRoutes:
    """The routes of the batches API."""

    def __init__(self, batches: Batches, files: Files, settings: GatewaySettings) -> None:
        self._batches = batches
        self._files = files
        self._settings = settings
        self.router = APIRouter(tags=["batches"], route_class=StrictJsonRoute)
        add, one = self.router.add_api_route, "/v1/batches/{batch_id}"
        add(
            "/v1/batches",
            self.create,
            methods=["POST"],
            summary="Start a batch",
            dependencies=[Depends(require_json)],
            responses=failures(400, 401, 404, 408, 413, 415, 421, 429, 500, 503),
        )
        reading = failures(400, 401, 404, 421, 429, 500, 503)
        add("/v1/batches", self.listing, methods=["GET"], summary="List batches", responses=reading)
        add(one, self.read, methods=["GET"], summary="Read a batch", responses=reading)
        add(f"{one}/cancel", self.cancel, methods=["POST"], summary="Cancel a batch", responses=reading)

    async def create(self, request: Request, body: out.BatchCreate) -> out.BatchObject:
        """Answers every line of a file in turn, while nobody else waits; poll it until it has ended."""
        caller, now = caller_of(request), time.time()
        after = body.output_expires_after
        ttl_s = within(after, self._settings, "output_expires_after.seconds") if after else 0
        try:
            file = await self._files.load(body.input_file_id, caller.tenant)
        except NotFound as error:
            raise InvalidRequest(error.message, field="input_file_id") from None
        if file.purpose != "batch":
            raise InvalidRequest("input_file_id must be a file of purpose batch", field="input_file_id")
        batch = Batch(
            f"batch_{uuid.uuid4().hex}",
            caller.tenant,
            caller.key.id if caller.key else "",
            body.endpoint,
            file.id,
            now,
            now + _WINDOW_S,
            body.metadata,
            ttl_s,
            current_span(),
        )
        await self._batches.create(batch, self._settings.max_batches)
        return out.BatchObject.of(batch)

    async def listing(
        self, request: Request, after: After = None, limit: Annotated[int, Query(ge=1, le=100)] = 20
    ) -> out.BatchList:
        """The caller's batches, the newest first."""
        found = await self._batches.listed(caller_of(request).tenant, after, limit + 1)
        page = [out.BatchObject.of(batch) for batch in found[:limit]]
        first, last = (page[0].id, page[-1].id) if page else (None, None)
        return out.BatchList(data=page, first_id=first, last_id=last, has_more=len(found) > limit)

    async def read(self, request: Request, batch_id: BatchId) -> out.BatchObject:
        """The batch as it stands."""
        return out.BatchObject.of(await self._batches.load(batch_id, caller_of(request).tenant))

    async def cancel(self, request: Request, batch_id: BatchId) -> out.BatchObject:
        """Asks a batch to end; what was answered can be read. One that has ended stays as it is."""
        tenant = caller_of(request).tenant
        await self._batches.load(batch_id, tenant)
        await self._batches.end(batch_id, "cancelled")
        return out.BatchObject.of(await self._batches.load(batch_id, tenant))


def within(after: out.ExpiresAfter, settings: GatewaySettings, field: str) -> int:
    """The seconds; raises `InvalidRequest` where this deployment keeps files for a shorter time."""
    if after.seconds > settings.file_ttl_s:
        raise InvalidRequest(f"{field} must be at most {settings.file_ttl_s} here", field=field)
    return after.seconds


def _has(fields: dict[str, str], name: str) -> bool:
    return f"expires_after[{name}]" in fields
