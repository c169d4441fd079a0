"""Scores evolutions that have ended by the shadows and judges of their profiles, one at a time, if there is room."""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from services.orchestrator.core.presets import config_for
from services.orchestrator.core.shadow import Disagreement, ScoreKey, disagreement
from services.orchestrator.core.values import Outcome, Score, Scored
from services.orchestrator.ports import Scorer
from services.orchestrator.rollouts import metrics
from services.orchestrator.rollouts.replaying import replayed
from shared.errors import DarwinError, NotFound, Overloaded
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import EvolutionRequest, Record
from shared.records.profiles import ManagedProfile, split_reference
from shared.records.rollouts import Canary, Compared, Shadow
from shared.records.turns import instruction_of
from shared.store.evolutions import Store
from shared.store.rollouts import Rollouts

log = logging.getLogger(__name__)

# Evolutions that wait; more are dropped.
_MOST_WAITING = 100
# For one evolution, all its calls together.
_DEADLINE_S = 60.0


class RolloutFollower:
    """Looks at evolutions once they have ended. `has_room` says whether the stages bear more work than that of the
    evolutions under way; where they do not, an evolution is dropped. What is dropped, or under way as this worker ends,
    is not counted, and nothing else is lost.
    """

    def __init__(self, rollouts: Rollouts, store: Store, scorer: Scorer, has_room: Callable[[], bool]) -> None:
        self._rollouts = rollouts
        self._store = store
        self._scorer = scorer
        self._has_room = has_room
        self._waiting: asyncio.Queue[Record] = asyncio.Queue(_MOST_WAITING)

    async def on_saved(self, record: Record, attempt: Attempt, events: Sequence[Event]) -> None:
        """A listener for saves: notes an evolution that this save has ended with an answer."""
        if record.status == "succeeded" and record.result and record.request.profile_owner is not None:
            try:
                self._waiting.put_nowait(record)
            except asyncio.QueueFull:
                metrics.dropped("busy")

    async def run(self) -> None:
        """Looks at what has ended, for good."""
        while True:
            await self.look_at(await self._waiting.get())

    async def look_at(self, record: Record) -> None:
        """Has an evolution that has ended scored by who wants that. Its errors are counted, and logged where they are
        of this program."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await self._look_at(record)
        except TimeoutError:
            metrics.dropped("late")
        except Overloaded:
            metrics.dropped("busy")
        except DarwinError as error:
            log.info("%s: not scored beside: %s", record.id, error.message)
            metrics.dropped(type(error).__name__)
        except Exception:
            log.exception("%s: not scored beside", record.id)
            metrics.dropped("Internal")

    async def _look_at(self, record: Record) -> None:
        request, split = record.request, split_reference(record.request.profile)
        if request.profile_owner is None or split is None:
            return
        try:
            profile = await self._rollouts.get(request.profile_owner, split[0])
        except NotFound:
            return
        shadow, canary = profile.shadow, profile.canary
        compares = shadow and {profile.promoted, shadow.version} & set(profile.relative)
        if shadow and not compares and split[1] == profile.promoted and shadow.takes(record.id):
            await self._compare(record, profile, shadow)
        if canary and canary.metric == "judge" and request.profile_canary == canary.id:
            await self._judge(record, profile, canary)

    async def _compare(self, record: Record, profile: ManagedProfile, shadow: Shadow) -> None:
        request = record.request
        _, events, attempts = await self._store.history(record.id)
        outcomes, scores = await asyncio.to_thread(replayed, request, attempts, events)
        under = replace(request, profile=f"{profile.name}@{shadow.version}")
        rescored: dict[ScoreKey, Scored] = {}
        for _, together in groupby(scores, key=lambda score: (score.cycle, score.round, score.final)):
            effects = list(together)
            found = {scored.state: scored for scored in await self._scored(effects, under)}
            rescored |= {effect.key: found[effect.state] for effect in effects}
        told = await asyncio.to_thread(_disagreement, request, outcomes, rescored)
        counted = Compared(1, int(told.pick), told.decisions, told.differing)
        await self._rollouts.count(shadow, profile.promoted, record.id, counted)
        metrics.compared(under.profile, counted)

    async def _judge(self, record: Record, profile: ManagedProfile, canary: Canary) -> None:
        """The judge's reward of the answer, by the logistic function, is the canary's outcome; 0 where it breaks a
        requirement of the judge's. None is counted where the reward abstains, or the answer calls tools."""
        [answer, *_] = record.result.choices if record.result and record.result.choices else [None]
        if answer is None or answer.tool_calls:
            return
        under = replace(record.request, profile=canary.judge, profile_owner=canary.judge_owner)
        [scored] = await self._scored([Score(1, 1, 0, answer.text, final=True)], under)
        if scored.abstained and not scored.breaks:
            return
        await self._rollouts.add_outcome(canary, canary.unit_of(record), _outcome(scored))
        metrics.judged(f"{profile.name}@{canary.version}")

    async def _scored(self, effects: Sequence[Score], request: EvolutionRequest) -> list[Scored]:
        """Raises `Overloaded` where evolutions under way wait for a stage."""
        if not self._has_room():
            raise Overloaded("evolutions under way have all the room")
        return [scored async for scored in self._scorer.score(effects, request, _DEADLINE_S)]


def _disagreement(
    request: EvolutionRequest, outcomes: Sequence[Outcome], rescored: dict[ScoreKey, Scored]
) -> Disagreement:
    return disagreement(config_for(request), instruction_of(request.messages), request.seed, outcomes, rescored)


def _outcome(scored: Scored) -> float:
    """The reward in [0, 1]."""
    return 0.0 if scored.breaks else (1.0 + math.tanh(scored.reward / 2)) / 2
