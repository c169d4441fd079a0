"""The settings of the gateway that are about calls at a time, and how long one may hold its place."""

from pydantic import Field

from services.gateway.config.batch_settings import BatchSettings


class PlaceSettings(BatchSettings):
    """How many calls are answered at a time, and of whom. Times are in seconds."""

    max_concurrent: int = Field(default=1000, ge=1, description="calls under /v1 at a time")
    max_concurrent_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="the part of those that one tenant may hold, of what the other tenants leave; 1: all of it",
    )
    max_streams_per_key: int = Field(
        default=400, ge=1, description="streamed answers open at a time, of one API key that sets none itself"
    )
    send_timeout_s: float = Field(
        default=30.0, gt=0, description="after which a client that reads nothing of its answer is hung up on"
    )
