"""Final responses of recorded evolutions, judged by another version of a profile: who would have been the answer.

Nothing is decoded. So a trial says what a version would pick of what there is; that it would have steered the search
elsewhere, it cannot say.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from services.gateway.edge.access import Caller
from services.gateway.edge.errors import KeyLimit
from services.gateway.evolutions.call_charges import CallCharges
from services.gateway.evolutions.service import EvolutionService
from services.gateway.profiles.managed import ManagedProfiles
from services.gateway.profiles.models import Judged, Judgement, LoadedProfile, RewardModels
from shared.errors import DeadlineExceeded, InvalidRequest, NotFound, Overloaded
from shared.methods import METHODS
from shared.picking.recorded import RecordedFinal, answer_among, finals_of
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import TERMINAL, Fallback, Record
from shared.records.limits import MAX_SEQUENCES
from shared.records.spending import Spending
from shared.store.evolutions import Store

MAX_TRIED = 50
"""Evolutions of one trial."""
_SECONDS = 60.0
"""After which a trial ends with what it has, the loading of models not counted."""
_AT_ONCE = 2
_READ_AT_ONCE, _MOST_EXAMINED = 100, 1_000


class Draft(NamedTuple):
    """What is tried: a version of a profile, or a text that was never pushed under its name."""

    owner: str
    reference: str
    content: str


class Wanted(NamedTuple):
    """The evolutions that are judged again: those of these ids or, without any, the `last` ones that have a choice to
    make. Of `readable_tenant`, or of every tenant where that is None.
    """

    ids: Sequence[str]
    last: int
    readable_tenant: str | None


@dataclass(frozen=True)
class Tried:
    """An evolution's final responses beside what the draft says of each. `answered` is the place of the answer then,
    `would_answer` that of the one that the draft picks, `fallback` why that is the base response although another one
    came first. `reproduced` says that what is recorded picks the recorded answer, too; where it does not, something
    that the pick depends on is not recorded."""

    record: Record
    finals: tuple[RecordedFinal, ...]
    judged: tuple[Judged, ...]
    answered: int
    would_answer: int
    fallback: Fallback | None
    reproduced: bool

    @property
    def changed(self) -> bool:
        """Whether the answer would be another one."""
        return self.finals[self.answered].response.whole_text != self.finals[self.would_answer].response.whole_text


@dataclass
class Trial:
    """What was judged, and why which others were not, by their ids. Reward models computed so many `tokens` for it."""

    reference: str
    tokens: int = 0
    tried: list[Tried] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


_History = tuple[Record, list[Event], list[Attempt]]


class Trials:
    """Tries profiles, a few at a time, and one for each owner: each asks for the rewards of one evolution at a time, so
    that searches are scored meanwhile.
    """

    def __init__(
        self, profiles: ManagedProfiles, evolutions: EvolutionService, store: Store, charges: CallCharges
    ) -> None:
        self._profiles = profiles
        self._evolutions = evolutions
        self._store = store
        self._charges = charges
        self._owners: set[str] = set()

    async def run(self, draft: Draft, wanted: Wanted, caller: Caller) -> Trial:
        """Charges the caller for what reward models compute, but for the calls that fail.

        Raises as `ManagedProfiles.push` does where the draft cannot be served, and:

        InvalidRequest: the profile reads self-certainty, which recorded responses do not tell.
        NotFound: there is no such evolution, or it may not be read; the two look alike.
        Overloaded: too many trials are under way, or a budget of the caller's key leaves nothing to spend.
        Unsupported: the key has a budget of money, and nothing has a price here.
        DeadlineExceeded: time ran out before any evolution was judged.
        """
        reward = self._profiles.check_managed()
        self._charges.check(caller)
        with self._place(draft.owner):
            traits = await reward.check(draft.reference, draft.content, tenants=bool(draft.owner))
            if traits.self_certainty:
                raise InvalidRequest(
                    "it reads how certain the language model was while it decoded, which recorded responses do not "
                    "tell: try it without that component, or start a canary",
                    field="content",
                )
            profile = LoadedProfile(draft.reference, draft.content, traits.relative)
            ends_at = asyncio.get_running_loop().time() + _SECONDS
            trial = Trial(draft.reference)
            async with aclosing(self._histories(wanted)) as histories:
                async for history in histories:
                    left_s = ends_at - asyncio.get_running_loop().time()
                    await self._try(_Judge(reward, profile, self._charges, caller), history, trial, left_s)
        if trial.skipped and not trial.tried and set(trial.skipped.values()) == {_LATE}:
            raise DeadlineExceeded(f"no evolution was judged within {_SECONDS:.0f} s: try fewer")
        return trial

    @contextmanager
    def _place(self, owner: str) -> Iterator[None]:
        if owner in self._owners or len(self._owners) >= _AT_ONCE:
            raise Overloaded("another trial is under way: come back when it has ended")
        self._owners.add(owner)
        try:
            yield
        finally:
            self._owners.discard(owner)

    async def _histories(self, wanted: Wanted) -> AsyncGenerator[_History]:
        for evolution_id in dict.fromkeys(wanted.ids):
            yield await self._evolutions.load_history(evolution_id, wanted.readable_tenant)
        if wanted.ids:
            return
        found, examined, after = 0, 0, None
        while examined < _MOST_EXAMINED and found < wanted.last:
            listed = await self._store.listed(wanted.readable_tenant, after, _READ_AT_ONCE)
            for each in listed:
                if found == wanted.last or each.status != "succeeded" or not METHODS[each.method].searches:
                    continue
                try:
                    history = await self._evolutions.load_history(each.id, wanted.readable_tenant)
                except NotFound:
                    continue  # deleted meanwhile
                if len(finals_of(*history)) > 1:
                    found += 1
                    yield history
            if not listed:
                return
            examined, after = examined + len(listed), listed[-1].id

    async def _try(self, judge: "_Judge", history: _History, trial: Trial, left_s: float) -> None:
        record, events, _ = history
        finals = finals_of(*history)
        if why := _untriable(record, finals, left_s):
            trial.skipped[record.id] = why
            return
        try:
            async with asyncio.timeout(left_s):
                judgement = await judge.judged(record, finals, left_s)
        except (TimeoutError, DeadlineExceeded):
            trial.skipped[record.id] = _LATE
        except InvalidRequest as error:
            trial.skipped[record.id] = error.message
        except KeyLimit as error:
            if not trial.tried:
                raise
            trial.skipped[record.id] = error.message
        else:
            trial.tokens += judgement.tokens
            trial.tried.append(_tried(record, finals, judgement.judged, events))


_LATE = "time ran out"


def _untriable(record: Record, finals: Sequence[RecordedFinal], left_s: float) -> str:
    if record.status not in TERMINAL:
        return "it has not ended yet"
    if record.result is None or not record.result.choices:
        return "it has no answer"
    if len(finals) < 2:
        return "it has no other response than its answer"
    return "" if left_s > 0 else _LATE


@dataclass(frozen=True)
class _Judge:
    """A profile that judges at the expense of a caller."""

    reward: RewardModels
    profile: LoadedProfile
    charges: CallCharges
    caller: Caller

    async def judged(self, record: Record, finals: Sequence[RecordedFinal], left_s: float) -> Judgement:
        """Raises as `RewardModels.score` and `CallCharges.charged` do."""
        texts = [final.response.whole_text for final in finals]
        asked = sum(len(message.content) for message in record.request.messages)
        # As a search is estimated: one model that reads each response whole, and a token for each character.
        most = Spending(reward=sum(asked + len(text) for text in texts))
        found, tokens = list[Judged](), 0
        async with self.charges.charged(self.caller, most) as bill:
            for start in range(0, len(texts), MAX_SEQUENCES):
                part = texts[start : start + MAX_SEQUENCES]
                judgement = await self.reward.score(self.profile, record.request, part, left_s)
                found, tokens = found + judgement.judged, tokens + judgement.tokens
                bill.spent = Spending(reward=tokens)
        return Judgement(found, tokens)


def _tried(
    record: Record, finals: tuple[RecordedFinal, ...], judged: Sequence[Judged], events: Sequence[Event]
) -> Tried:
    assert record.result
    first = record.result.choices[0]
    place = (0, None) if first.state is None else (first.cycle, first.state)
    places = [(0, None) if final.cycle == 0 else (final.cycle, final.state) for final in finals]
    answered = places.index(place)
    again, _ = answer_among(finals, events, record.request)
    anew = [replace(final, **each._asdict()) for final, each in zip(finals, judged, strict=True)]
    winner, why = answer_among(anew, events, record.request)
    return Tried(
        record,
        finals,
        tuple(judged),
        answered,
        anew.index(winner),
        why,
        again.response.whole_text == finals[answered].response.whole_text,
    )
