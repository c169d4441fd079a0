"""Settings of the reward service, from `DARWIN_REWARD_…` variables."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.process.number_types import AUTO_DTYPE, DtypeSetting
from shared.process.settings import DarwinSettings


class RewardSettings(DarwinSettings):
    """`profiles` names the profiles to load, by commas; a profiles folder adds all of its own."""

    model_config = SettingsConfigDict(env_prefix="DARWIN_REWARD_")
    fixed = ("max_candidates", "max_messages", "max_text_characters", "max_conversation_characters")

    listen: str = "127.0.0.1:50053"
    profiles: str = Field(default="default", min_length=1)
    profiles_dir: Path | None = None
    default_profile: str = Field(default="", description="serves calls that name none; empty: the first of `profiles`")
    generation: str = Field(
        default="127.0.0.1:50051", description="address of the generation service, for components that its model judges"
    )
    threads: int = Field(default=1, ge=1, description="CPU cores that scoring may use")
    dtype: DtypeSetting = Field(default="auto", description=AUTO_DTYPE)
    device: str = Field(default="cpu", description='a torch device, such as "cuda:0"')
    cache_bytes: int = Field(default=512 * 1024**2, ge=0, description="keys and values kept of recent responses")
    max_batch: int = Field(default=16, ge=1, description="responses computed at once; more suits a GPU")
    model_bytes: int | None = Field(
        default=None,
        ge=0,
        description="memory that models may take, as it grows while each loads; none: three quarters of what there is",
    )

    def profile_names(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.profiles.split(",") if name.strip())
