"""Bodies of the files and batches API, in OpenAI's shapes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.field_types import ENCODABLE, Body
from services.gateway.config.search_fields import WHOLE
from shared.errors import InvalidRequest
from shared.records.limits import MAX_CYCLES
from shared.store.batches import Batch
from shared.store.files import File

_Key = Annotated[str, Field(max_length=64), ENCODABLE]
_Value = Annotated[str, Field(max_length=512), ENCODABLE]
LEAST_TTL_S, MOST_TTL_S = 3600, 2_592_000


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class FileObject(_Resource):
    """OpenAI's `file`."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: Literal["batch", "batch_output"]
    status: Literal["processed"] = "processed"
    status_details: None = None

    @classmethod
    def of(cls, file: File) -> "FileObject":
        return cls(
            id=file.id,
            bytes=file.bytes,
            created_at=int(file.created_at),
            expires_at=int(file.expires_at),
            filename=file.filename,
            purpose=file.purpose,
        )


class FileList(_Resource):
    """A page of files."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(_Resource):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class ExpiresAfter(Body):
    """When files expire."""

    anchor: Literal["created_at"]
    seconds: int = Field(ge=LEAST_TTL_S, le=MOST_TTL_S)

    def within(self, most: int, field: str) -> int:
        """The seconds; raises `InvalidRequest` where this deployment keeps files for `most` seconds, which is less."""
        if self.seconds > most:
            raise InvalidRequest(f"{field} must be at most {most} here", field=field)
        return self.seconds


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    after: str | None = Field(default=None, max_length=256, description="The last id of the page before.")


class FileQuery(_Query):
    """Which files are listed."""

    limit: int = Field(default=10_000, ge=1, le=10_000)
    order: Literal["asc", "desc"] = Field(default="desc", description="`desc`: the newest first.")
    purpose: str | None = Field(default=None, max_length=64, description="Only those of this purpose.")


class BatchQuery(_Query):
    """Which batches are listed."""

    limit: int = Field(default=20, ge=1, le=100)


class BatchSearch(Body):
    """How much is searched for the lines of a batch together."""

    max_generated_tokens: Annotated[int, Field(ge=1, le=10**12), WHOLE] = Field(
        description="Budget of tokens sampled for all lines, mutation included. Each line has its share of what is "
        "left; further cycles are searched where they are expected to gain most for their tokens. It is never "
        "exceeded, except that each sequence gets one token.",
    )
    cycles: Annotated[int, Field(ge=1, le=MAX_CYCLES), WHOLE] = Field(
        default=3, description="Cycles at most of each line that names neither `cycles` nor a preset."
    )


class BatchCreate(Body):
    """Body of `POST /v1/batches`."""

    input_file_id: Annotated[str, Field(max_length=256), ENCODABLE] = Field(description="A file of purpose `batch`.")
    endpoint: Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"] = Field(
        description="The route that every line is meant for."
    )
    completion_window: Literal["24h"] = Field(description="What has not been answered by then expires.")
    metadata: Annotated[dict[_Key, _Value], Field(max_length=16)] | None = Field(default=None, description="Kept.")
    output_expires_after: ExpiresAfter | None = Field(default=None, description="Of the output and error files.")
    darwin: BatchSearch | None = Field(
        default=None, description="What the lines may spend together. Default: each what it asks for."
    )


class RequestCounts(_Resource):
    """Lines of a batch."""

    total: int
    completed: int
    failed: int


class BatchError(_Resource):
    """What is wrong with a batch."""

    code: str
    line: int | None
    message: str
    param: str | None


class BatchErrors(_Resource):
    """Why a batch failed."""

    object: Literal["list"] = "list"
    data: list[BatchError]


class BatchSpending(_Resource):
    """What the lines of a batch may sample together, and what those that have ended have sampled."""

    max_generated_tokens: int
    cycles: int
    generated_tokens: int


class BatchObject(_Resource):
    """OpenAI's `batch`."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: BatchErrors | None
    input_file_id: str
    completion_window: Literal["24h"] = "24h"
    status: Literal[
        "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
    ]
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCounts
    metadata: dict[str, str] | None
    darwin: BatchSpending | None = Field(default=None, exclude_if=lambda spending: spending is None)

    @classmethod
    def of(cls, batch: Batch) -> "BatchObject":
        times: dict[str, Any] = {f"{name}_at": at for name, at in batch.at.items()}
        times |= {"created_at": int(batch.created_at), "expires_at": int(batch.expires_at)}
        errors = [BatchError.model_validate(error) for error in batch.errors]
        return cls(
            id=batch.id,
            endpoint=batch.endpoint,
            errors=BatchErrors(data=errors) if errors else None,
            input_file_id=batch.input_file_id,
            status=batch.status,
            output_file_id=batch.output_file_id if batch.output_ready else None,
            error_file_id=batch.error_file_id if batch.error_ready else None,
            request_counts=RequestCounts(total=batch.total, completed=batch.completed, failed=batch.failed),
            metadata=batch.metadata,
            darwin=_spending(batch),
            **times,
        )


def _spending(batch: Batch) -> BatchSpending | None:
    if batch.max_generated_tokens is None:
        return None
    return BatchSpending(
        max_generated_tokens=batch.max_generated_tokens, cycles=batch.cycles, generated_tokens=batch.generated
    )


class BatchList(_Resource):
    """A page of batches, the newest first."""

    object: Literal["list"] = "list"
    data: list[BatchObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
