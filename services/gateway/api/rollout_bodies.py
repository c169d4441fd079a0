"""The bodies of what is tried beside a reward profile's promoted version, and of feedback."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.field_types import Body, Text
from services.gateway.config.search_fields import WHOLE
from shared.records.profiles import MAX_REASON, MAX_REFERENCE, MAX_VERSIONS
from shared.records.rollouts import (
    LEAST_LEVEL,
    LEAST_SHARE,
    MOST_LEVEL,
    MOST_SHARE,
    CanaryMetric,
    CanaryUnit,
)

_Version = Annotated[int, Field(ge=1, le=MAX_VERSIONS), WHOLE]
_Reason = Annotated[Text, Field(max_length=MAX_REASON, description="Why, for the profile's history.")]


class ShadowStart(Body):
    """The version that is to score what others found."""

    version: _Version
    share: float = Field(default=0.1, gt=0, le=1, description="Of the evolutions under the promoted version.")
    reason: _Reason = ""


class CanaryStart(Body):
    """The version that a share of those who name the profile are to get, and what decides about it."""

    version: _Version
    share: float = Field(default=0.1, ge=LEAST_SHARE, le=MOST_SHARE, description="Who gets it.")
    by: CanaryUnit = Field(
        default="user",
        description="What is drawn: the request's `user`, or its API key where it names none; or each evolution. Each "
        "counts once.",
    )
    metric: CanaryMetric = Field(
        default="feedback",
        description="Where outcomes come from: `POST /v1/evolutions/{evolution_id}/feedback`, or the `judge`.",
    )
    judge: Text = Field(
        default="",
        max_length=MAX_REFERENCE,
        description="The reward profile whose score of an answer, by the logistic function, is the outcome.",
    )
    level: float = Field(
        default=0.05,
        ge=LEAST_LEVEL,
        le=MOST_LEVEL,
        description="How probable it may be that two versions that are equal are ever found to differ.",
    )
    automatic: bool = Field(
        default=False,
        description="Whether a version that is found to be better is promoted, and the canary of one that is worse "
        "ended.",
    )
    reason: _Reason = ""


class FeedbackCreate(Body):
    """What the caller's users think of an answer."""

    score: float = Field(ge=0, le=1, description="1 is best.")


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProfileShadow(_Resource):
    """A version that scores a share of what the promoted one finds, and what it would have decided otherwise."""

    version: int
    share: float
    evolutions: int = Field(description="Compared so far, under the version that is promoted now.")
    picks: int = Field(description="Evolutions whose answer would have been another one.")
    decisions: int = Field(description="About states that could have been replaced, in rounds that replace.")
    differing: int = Field(description="Decisions that would have been others, on the same population.")


class CanaryArm(_Resource):
    """The outcomes of one version."""

    version: int
    outcomes: int
    mean: float | None


class ProfileCanary(_Resource):
    """A version that a share of callers get, and what its outcomes show."""

    version: int
    share: float
    by: CanaryUnit
    metric: CanaryMetric
    judge: str = Field(description="As `name@version`; empty where feedback decides.")
    level: float
    automatic: bool
    promoted: CanaryArm
    canary: CanaryArm
    lower: float = Field(
        description="The mean outcome of the canary less that of the promoted version is between this and `upper`, "
        "after all outcomes at once, with a probability of 1 - `level` at least."
    )
    upper: float
    verdict: Literal["better", "worse"] | None = Field(description="Null while the two include 0.")
    verdict_after: int | None = Field(description="After how many outcomes the verdict was there.")


class Feedback(_Resource):
    """The feedback that is kept of an evolution's answer."""

    evolution: str
    object: Literal["evolution.feedback"] = "evolution.feedback"
    score: float
