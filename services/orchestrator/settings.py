"""Settings of the orchestrator, from `DARWIN_ORCHESTRATOR_…` variables."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.process.settings import StoreSettings


class OrchestratorSettings(StoreSettings):
    model_config = SettingsConfigDict(env_prefix="DARWIN_ORCHESTRATOR_", frozen=True, extra="ignore")

    mutation: str = "127.0.0.1:50052"
    generation: str = "127.0.0.1:50051"
    reward: str = "127.0.0.1:50053"
    concurrency: int = Field(default=64, ge=1, description="evolutions one worker holds at once")
    call_timeout_s: float = Field(default=300.0, gt=0, description="deadline of one call to a service")
    lease_s: float = Field(default=8.0, gt=0, description="how long a dead worker's evolutions stay its own")
    heartbeat_s: float = Field(default=2.0, gt=0, description="how often leases are renewed: half their time at most")
    sweep_s: float = Field(default=1.0, gt=0, description="how often stalled evolutions and stages are looked for")
    stalled_s: float = Field(default=5.0, gt=0, description="unsaved and unheld for this long is stalled")
    save_s: float = Field(default=5.0, gt=0, description="how often a round that takes long is saved on its way")
    max_attempts: int = Field(default=5, ge=1, description="failures in a row after which an evolution fails")
    max_deaths: int = Field(default=10, ge=1, description="workers ended by one round after which an evolution fails")
    credit_kept: int = Field(
        default=1000, ge=10, le=100_000, description="cycles of a tenant from which credit is drawn, the newest"
    )
    credit_ttl_s: int = Field(
        default=30 * 86_400, ge=1, description="how long credit is kept after the last search that added to it"
    )
    credit_half_life: float = Field(default=100.0, gt=0, description="evolutions after which credit counts half")
    credit_near: int = Field(default=200, ge=2, description="cycles on the nearest instructions that credit is from")
    credit_shared: bool = Field(default=False, description="whether all tenants earn and use one credit together")
    save_patience_s: float = Field(default=300.0, ge=0, description="how long a finished round waits for Redis")
    schema_patience_s: float = Field(
        default=3600.0, ge=0, description="how long an evolution that another version wrote waits for a worker of it"
    )
