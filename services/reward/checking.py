"""Checks how a reward model, or the components of a profile, will score, by the checks of the service's start."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.reward.bootstrap import build_over
from services.reward.inspection import RewardInspection, inspect_reward
from services.reward.profiles import ProfileFile, read_profile
from services.reward.registry import ClassifierSpec
from services.reward.scorer import Conversation, ScoreItem
from services.reward.settings import RewardSettings
from services.reward.specs import ModelSpec
from services.reward.validation import ResponseCandidate
from shared.records.evolution import Message

_CONVERSATION = (Message("system", "Answer in one sentence."), Message("user", "Why do leaves fall in autumn?"))
_RESPONSES = (
    "Trees drop their leaves in autumn to save water and energy while days are short and cold.",
    "leaves leaves leaves fall fall banana the the",
)
# Nothing has decoded them, so that components which read it count both alike.
_CERTAINTY = 1.0


@dataclass(frozen=True)
class Tried:
    """A response and its reward."""

    response: str
    reward: float


@dataclass(frozen=True)
class RewardCheck:
    """The profile's reward models as they will be served, a conversation as the first of them reads it, and the rewards
    of two responses to it."""

    profile: str
    models: tuple[RewardInspection, ...]
    prompt: str | None
    scores: tuple[Tried, ...]


async def check_reward(name: str) -> RewardCheck:
    """Checks a profile (a .yaml file), or a reward model (a folder or a Hugging Face id) served by transformers.

    Reads what is known without weights first; then loads them, as only scores show that they work.

    Raises:
        NotFound, InvalidRequest, Unsupported: it cannot be served; the message says what to change.
    """
    profile = _profile(name)
    models = tuple(inspect_reward(spec) for spec in profile.components if isinstance(spec, ModelSpec))
    rewarder = build_over({name: profile}, name, RewardSettings())
    try:
        await rewarder.start()
        candidates = [
            ResponseCandidate(str(index), text, self_certainty=_CERTAINTY) for index, text in enumerate(_RESPONSES)
        ]
        scored = await rewarder.score(_CONVERSATION, candidates, together=True)
    finally:
        await rewarder.stop()
    tried = tuple(Tried(text, score.reward) for text, score in zip(_RESPONSES, scored.scores, strict=True))
    return RewardCheck(name, models, next(_prompts(models), None), tried)


def _profile(name: str) -> ProfileFile:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return read_profile(path)
    return ProfileFile(components=(ClassifierSpec(name="reward", type="classifier", weight=1.0, model=name),))


def _prompts(models: tuple[RewardInspection, ...]) -> Iterator[str]:
    item = ScoreItem(Conversation(_CONVERSATION), _RESPONSES[0])
    for model in models:
        yield str(model.tokenizer.decode(model.format.encode(item).token_ids))
