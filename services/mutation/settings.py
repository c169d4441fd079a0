"""Settings of the mutation process, from `DARWIN_MUTATION_…` variables."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.mutation.operators import OPERATORS
from shared.process.settings import DarwinSettings
from shared.text.embedded_models import EMBEDDED_ENCODER

# Measured by `python -m bench.mutation_fidelity` on MT-Bench's instructions: 0.8 accepts 27 of 28 hand-written
# paraphrases (5% quantile 0.87) and none of 6,320 unrelated pairs (at most 0.54), but also 12 of 28 rewrites that stay
# on topic and change the task. Together with the guards: 23 paraphrases, no unrelated pair, none of the changed tasks.
THRESHOLD = 0.8
# What a model must exceed to write unasked. Of rewrites as a careful writer makes them for the measured dozen, the
# checks accept 33 of 36 (`tests/unit/mutation/test_suitability.py`), of the embedded model's 9.
AUTO_SHARE = 0.7


class MutationSettings(DarwinSettings):
    model_config = SettingsConfigDict(env_prefix="DARWIN_MUTATION_")

    listen: str = "127.0.0.1:50052"
    generation: str = Field(default="127.0.0.1:50051", description="address of the generation service")
    encoder: str = Field(
        default=EMBEDDED_ENCODER,
        description='sentence encoder: the embedded one or a folder with a BERT; "simulated" counts words',
    )
    threshold: float = Field(default=THRESHOLD, ge=-1, le=1, description="least cosine of a rewrite to the original")
    operators: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="comma-separated, of " + ", ".join(OPERATORS) + "; empty: as auto_share decides",
    )
    auto_share: float = Field(
        default=AUTO_SHARE,
        ge=0,
        le=1,
        description="where more than this share of the model's rewrites of shipped instructions are accepted, it "
        "writes mutants unasked, by every operator, at tokens; 1: templates do, and nothing is measured",
    )
    temperature: float = Field(default=0.3, ge=0, le=2)
    max_tokens: int = Field(
        default=96, ge=16, le=4096, description="of one rewrite; longer instructions are not rewritten by the model"
    )

    @field_validator("operators", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("operators")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in OPERATORS]
        if unknown:
            raise ValueError(f"unknown operators {', '.join(unknown)}; choose from {', '.join(OPERATORS)}")
        return names
