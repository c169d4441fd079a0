"""The bodies of `POST /v1/profiles/{name}/try`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.field_types import Body, Text
from services.gateway.config.search_fields import WHOLE
from services.gateway.evolutions.trials import MAX_TRIED, Trial, Tried
from services.gateway.profiles.models import Judged
from shared.picking.recorded import RecordedFinal
from shared.records.evolution import Fallback
from shared.records.profiles import MAX_CONTENT, MAX_VERSIONS
from shared.records.turns import instruction_of

_PROMPT_CHARACTERS, _TEXT_CHARACTERS = 300, 1_000


class ProfileTry(Body):
    """What is tried, and on which evolutions."""

    version: Annotated[int, Field(ge=1, le=MAX_VERSIONS), WHOLE] | None = Field(
        default=None, description="A version of the name; without it and `content`, the promoted one."
    )
    content: Text | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_CONTENT,
        description="Instead of a version: a profile as YAML, which need not have been pushed.",
    )
    evolutions: list[Annotated[Text, Field(min_length=1, max_length=64)]] | None = Field(
        default=None, min_length=1, max_length=MAX_TRIED, description="Ids of evolutions that have ended."
    )
    last: Annotated[int, Field(ge=1, le=MAX_TRIED), WHOLE] | None = Field(
        default=None,
        description="Instead of ids: so many of those that last succeeded and had a choice to make; 10 by default.",
    )


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class Judgement(_Resource):
    """What a profile says of a response."""

    reward: float | None
    abstained: str = Field(description="Why the reward is not to be trusted; empty where it is.")
    breaks: str = Field(description="The first requirement that the response breaks; empty where it breaks none.")


class TriedFinal(_Resource):
    """A final response, judged then and now."""

    cycle: int
    state: int | None = Field(description="Null for the base response.")
    text: str = Field(description=f"The first {_TEXT_CHARACTERS} characters, calls of tools included.")
    recorded: Judgement = Field(description="By the profile that the evolution began with.")
    tried: Judgement = Field(description="By what is tried.")
    components: dict[str, float] = Field(description="The parts of the reward that is tried.")


class TriedEvolution(_Resource):
    """An evolution, its final responses, and which of them answers by which profile."""

    id: str
    tenant: str
    created_at: float = Field(description="Unix seconds.")
    prompt: str = Field(description=f"The first {_PROMPT_CHARACTERS} characters of the instruction.")
    profile: str = Field(description="The profile that it began with.")
    profile_owner: str = Field(description="The tenant whose own that is; empty where all may use it.")
    finals: list[TriedFinal]
    answered: int = Field(description="The place in `finals` of the answer that was given.")
    would_answer: int = Field(description="The place of the one that would have been.")
    fallback: Fallback | None = Field(
        description="Why that one is the base response although another one came first, if it is."
    )
    changed: bool = Field(description="Whether the answer would have been another text.")
    reproduced: bool = Field(
        description="Whether the recorded rewards pick the recorded answer, too. Where they do not, the pick depends "
        "on what is not recorded, and the comparison is approximate."
    )


class TrySkipped(_Resource):
    """An evolution that was not judged again."""

    id: str
    reason: str


class TrySummary(_Resource):
    """How much would have changed."""

    rescored: int = Field(description="Evolutions.")
    changed: int = Field(description="Of these, how many would have had another answer.")
    approximate: int = Field(description="Of these, how many are not `reproduced`.")
    reward_tokens: int = Field(description="What reward models computed for it.")
    cost: float | None = Field(description="Of those tokens, at this deployment's prices; null where it has none.")


class ProfileTrial(_Resource):
    """Final responses of recorded evolutions under another version: what it would have picked of what there is. That it
    would have steered the searches elsewhere is not told by it."""

    object: Literal["reward_profile.trial"] = "reward_profile.trial"
    reference: str = Field(description="What was tried: `name@version`, or the name alone for a `content`.")
    summary: TrySummary
    evolutions: list[TriedEvolution]
    skipped: list[TrySkipped]


def profile_trial(trial: Trial, cost: float | None) -> ProfileTrial:
    """A trial as the API tells it, and what it cost."""
    summary = TrySummary(
        rescored=len(trial.tried),
        changed=sum(each.changed for each in trial.tried),
        approximate=sum(not each.reproduced for each in trial.tried),
        reward_tokens=trial.tokens,
        cost=cost,
    )
    return ProfileTrial(
        reference=trial.reference,
        summary=summary,
        evolutions=[_evolution(each) for each in trial.tried],
        skipped=[TrySkipped(id=key, reason=reason) for key, reason in trial.skipped.items()],
    )


def _evolution(tried: Tried) -> TriedEvolution:
    record = tried.record
    return TriedEvolution(
        id=record.id,
        tenant=record.request.tenant,
        created_at=record.created_at,
        prompt=_cut(instruction_of(record.request.messages), _PROMPT_CHARACTERS),
        profile=record.request.profile,
        profile_owner=record.request.profile_owner or "",
        finals=[_final(final, judged) for final, judged in zip(tried.finals, tried.judged, strict=True)],
        answered=tried.answered,
        would_answer=tried.would_answer,
        fallback=tried.fallback,
        changed=tried.changed,
        reproduced=tried.reproduced,
    )


def _final(final: RecordedFinal, judged: Judged) -> TriedFinal:
    return TriedFinal(
        cycle=final.cycle,
        state=None if final.cycle == 0 else final.state,
        text=_cut(final.response.whole_text, _TEXT_CHARACTERS),
        recorded=Judgement(reward=final.reward, abstained=final.abstained, breaks=final.breaks),
        tried=Judgement(reward=judged.reward, abstained=judged.abstained, breaks=judged.breaks),
        components=dict(judged.components),
    )


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
