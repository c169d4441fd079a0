"""Shadows and canaries: versions of managed profiles that are tried beside the promoted ones."""

from dataclasses import dataclass

from services.gateway.profiles.managed import Change, ManagedProfiles
from shared.errors import InvalidRequest, NotFound, Unavailable
from shared.records.evidence import Evidence
from shared.records.evolution import Record
from shared.records.profiles import MAX_REASON, ManagedProfile, split_reference
from shared.records.rollouts import Canary, CanaryMetric, CanaryUnit, Compared
from shared.store.rollouts import new_id

# Of a reason, with what the outcomes have shown beside it.
_REASON = MAX_REASON - 100


@dataclass(frozen=True)
class CanaryTerms:
    """What a canary is to be; `judge` is the name of the profile that scores answers, or name@version."""

    version: int
    share: float
    by: CanaryUnit
    metric: CanaryMetric
    level: float
    automatic: bool
    judge: str = ""


class ProfileRollouts:
    """Begins and ends what is tried beside promoted versions, and counts the outcomes. Every method raises
    `Unavailable` where Redis is away, and `NotFound` where the owner has no such profile or version."""

    def __init__(self, profiles: ManagedProfiles) -> None:
        self._profiles = profiles
        self._store = profiles.store

    async def start_shadow(self, name: str, version: int, share: float, change: Change) -> ManagedProfile:
        """Has a version score what a share of the evolutions under the promoted one have found, once every replica of
        the reward service has loaded it.

        Raises:
            InvalidRequest: it is the promoted one, or one of the two compares responses, or it alone reads
                self-certainty.
        """
        profile = await self._store.get(change.owner, name)
        profile.beside(version)
        if {profile.promoted, version} & set(profile.relative):
            raise InvalidRequest(
                "neither a shadow nor what it shadows can have rewards that compare responses: what they say of one "
                "search says nothing of another's; try it instead (POST …/try)",
                field="version",
            )
        both = [await self._store.version(change.owner, name, number) for number in (profile.promoted, version)]
        if both[1].self_certainty > both[0].self_certainty:
            raise InvalidRequest(
                "it reads how certain the language model was, which evolutions under the promoted version do not "
                "record: start a canary instead",
                field="version",
            )
        await self._profiles.load(change.owner, name, version)
        return await self._store.start_shadow(change.owner, name, version, share, change.by, change.reason)

    async def end_shadow(self, name: str, change: Change) -> ManagedProfile:
        """Ends the shadow, where there is one."""
        return await self._store.end_shadow(change.owner, name, change.by, change.reason)

    async def start_canary(self, name: str, terms: CanaryTerms, change: Change) -> ManagedProfile:
        """Has a share of those who name the profile get a version, once every replica has loaded it, and the judge.

        Raises:
            InvalidRequest: it is the promoted one, or the metric and the judge do not go together.
            Conflict: there is a canary already.
        """
        (await self._store.get(change.owner, name)).beside(terms.version)
        judge, judge_owner = await self._judge(terms, change.owner)
        await self._profiles.load(change.owner, name, terms.version)
        canary = Canary(
            new_id(),
            terms.version,
            terms.share,
            terms.by,
            terms.metric,
            terms.level,
            terms.automatic,
            judge,
            judge_owner,
        )
        return await self._store.start_canary(change.owner, name, canary, change.by, change.reason)

    async def end_canary(self, name: str, change: Change) -> ManagedProfile:
        """Ends the canary, where there is one: the name means the promoted version for all again. What its outcomes
        have shown is told in the profile's history."""
        canary = (await self._store.get(change.owner, name)).canary
        shown = f"{change.reason[:_REASON]} ({await self._store.evidence(canary)})".strip() if canary else ""
        return await self._store.end_canary(change.owner, name, change.by, shown, canary.id if canary else "")

    async def compared(self, profile: ManagedProfile) -> Compared | None:
        """What the shadow would have decided otherwise; None where there is none."""
        return await self._store.compared(profile.shadow, profile.promoted) if profile.shadow else None

    async def evidence(self, profile: ManagedProfile) -> Evidence | None:
        """What the outcomes of the canary show; None where there is none."""
        return await self._store.evidence(profile.canary) if profile.canary else None

    async def note_feedback(self, record: Record, score: float) -> None:
        """Counts users' feedback about an evolution's answer, in [0, 1], where a canary waits for it."""
        request, split = record.request, split_reference(record.request.profile)
        if request.profile_canary is None or request.profile_owner is None or split is None:
            return
        try:
            canary = (await self._store.get(request.profile_owner, split[0])).canary
        except NotFound:
            return
        if canary and canary.id == request.profile_canary and canary.metric == "feedback":
            await self._store.add_outcome(canary, canary.unit_of(record), score)

    async def _judge(self, terms: CanaryTerms, owner: str) -> tuple[str, str]:
        """The version that judges, loaded, and its owner; empty where feedback does."""
        if terms.metric == "feedback":
            if terms.judge:
                raise InvalidRequest('leave it out, or send the metric "judge"', field="judge")
            return "", ""
        if not terms.judge:
            raise InvalidRequest('the metric "judge" needs the name of a reward profile that scores', field="judge")
        try:
            found = await self._profiles.resolve(owner, terms.judge)
        except NotFound as error:
            raise InvalidRequest(error.message, field="judge") from None
        if found.relative:
            raise InvalidRequest("its rewards compare responses, and a judge has one: name another", field="judge")
        if found.self_certainty:
            raise InvalidRequest(
                "it reads how certain the language model was, and a judge sees the answer's text alone: name another",
                field="judge",
            )
        split = split_reference(found.reference)
        if split is None or split[1] is None or found.owner is None:
            raise Unavailable("the reward service's profiles are not known yet: come back later")
        await self._profiles.load(found.owner, split[0], split[1])
        return found.reference, found.owner
