"""The settings of the gateway that are about files, batches and webhooks."""

from pydantic import Field

from services.gateway.config.networks import Networks
from shared.process.settings import StoreSettings


class BatchSettings(StoreSettings):
    """What may be uploaded, what of it is answered at a time, and where its end is told. Times are in seconds."""

    max_file_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, description="of one uploaded file")
    max_file_seconds: float = Field(default=300.0, gt=0, description="within which an uploaded file must have arrived")
    max_files_per_tenant: int = Field(default=1_000, ge=1)
    max_files_bytes_per_tenant: int = Field(default=128 * 1024 * 1024, ge=1024, description="Redis holds them")
    max_files_bytes: int = Field(
        default=512 * 1024 * 1024, ge=1024, description="of all tenants' files; Redis holds them"
    )
    file_ttl_s: int = Field(default=30 * 86_400, ge=3600, description="how long files and ended batches are kept")
    max_batch_lines: int = Field(default=50_000, ge=1, le=50_000)
    max_batches: int = Field(default=100, ge=1, description="batches of one tenant that have not ended")
    max_batch_running: int = Field(default=8, ge=1, description="lines of all batches that are searched for at a time")
    max_webhooks: int = Field(default=20, ge=1, description="webhook endpoints of one tenant")
    webhook_timeout_s: float = Field(default=10.0, gt=0, le=60, description="of one attempt to send an event")
    webhook_http: bool = Field(default=False, description="whether webhooks may be sent without TLS")
    webhook_networks: Networks = Field(
        default=(),
        description="networks that webhooks may be sent to although they are not on the public internet, such as "
        "10.0.0.0/8; separated by commas, or JSON",
    )
