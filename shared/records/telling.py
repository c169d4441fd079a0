"""How events are kept: each as what is new in it against those before it, and whole again for whoever reads them.

What grows is told once. A text goes on from what the events have told of its state, so that a replacement costs
nothing: the round before has told whose text was copied. A mutant goes on from its cycle's parent, and what stands in
an archive is named by where it was told. Who tells may know less than was told, as a worker does that takes a round
over: it tells more than is new, and readers need not know.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from dataclasses import fields as fields_of
from itertools import count
from typing import Any, cast

from pydantic import TypeAdapter

from shared.records.events import (
    ArchiveEntry,
    BaseScored,
    Comparison,
    CycleFinished,
    CycleStarted,
    Ended,
    Event,
    MutantAccepted,
    PopulationScored,
    RoundFinished,
)

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_COMPARISON = tuple(each.name for each in fields_of(Comparison))
_SELDOM = ("weights", "dropped", "abstained", "settled", "breaks")


class Told:
    """What the events of an evolution have told so far: a cycle's `parent`, its `mutants`, their `texts` and
    `reasoning`, by state, and the `archive`. Without any of it, nothing is told yet.
    """

    def __init__(
        self,
        parent: str = "",
        mutants: Mapping[int, str] = {},  # nobody changes it
        texts: Mapping[int, str] = {},  # nobody changes it
        archive: tuple[ArchiveEntry, ...] = (),
        reasoning: Mapping[int, str] = {},  # nobody changes it
    ) -> None:
        self._parent = parent
        self._mutants = dict(mutants)
        self._texts = dict(texts)
        self._archive = archive
        self._reasoning = dict(reasoning)
        # Of the round that was told last, where it was told here.
        self._rewards: tuple[float | None, ...] = ()

    def shortened(self, events: Iterable[Event]) -> list[dict[str, Any]]:
        """What is new in each of the events that come next, as JSON. They are not told by this: whoever cannot save
        them may try again.
        """
        told = Told(self._parent, self._mutants, self._texts, self._archive, self._reasoning)
        found = list[dict[str, Any]]()
        told._rewards = self._rewards
        for event in events:
            found.append(told._shortened(event))
            told._note(event)
        return found

    def whole(self, fields: Any) -> Event:
        """The event that comes next, of what `shortened` made of it; whole ones, as earlier versions kept them, too.

        Raises:
            ValueError: it is no event, or goes on from something that was not told.
        """
        if not isinstance(fields, dict):
            raise ValueError("an event that is no object")
        try:
            event = _EVENT.validate_python(self._lengthened(fields))
        except (TypeError, KeyError, IndexError) as error:
            raise ValueError(f"an event that cannot be completed: {error!r}") from error
        self._note(event)
        return event

    def _shortened(self, event: Event) -> dict[str, Any]:
        fields = dict(vars(event))
        match event:
            case CycleStarted():
                known = [entry.instruction for entry in self._archive]
                if event.parent in known:
                    fields["parent"] = known.index(event.parent)
            case MutantAccepted():
                kept, fields["text"] = _continued(self._parent, event.text)
                if kept:
                    fields["kept"] = kept
            case RoundFinished():
                fields["kept"], fields["texts"] = _pieces(self._texts, event.texts)
                thoughts = _pieces(self._reasoning, event.reasoning) if event.reasoning else None
                fields["reasoning"] = thoughts
                if thoughts is None:
                    del fields["reasoning"]
                for name in _SELDOM:
                    if not fields[name]:
                        del fields[name]
                fields["replacements"] = [(item.state, item.donor) for item in event.replacements]
                fields["finished"] = [state for state, finished in enumerate(event.finished) if finished]
            case CycleFinished():
                of_states = self._of_states(event.rewards)
                fields["candidates"] = _named(event.candidates, of_states)
                fields["archive"] = _named(event.archive, (*self._archive, *event.candidates))
                if event.rewards == self._rewards:
                    del fields["rewards"]
                del fields["outlook"]
                if event.outlook:
                    fields["outlook"] = asdict(event.outlook)
                if event.best_reward == _best(event.archive):
                    del fields["best_reward"]
            case BaseScored():
                for name in ("reasoning", "abstained", "breaks"):
                    if not fields[name]:
                        del fields[name]
            case PopulationScored():
                fields["comparisons"] = [tuple(vars(each).values()) for each in event.comparisons]
            case Ended():
                return {name: value for name, value in asdict(event).items() if value is not None}
            case _:
                return asdict(event)
        return fields

    def _lengthened(self, fields: dict[str, Any]) -> dict[str, Any]:
        whole = dict(fields)
        match fields.get("type"):
            case "cycle.started" if isinstance(number := fields["parent"], int):
                whole["parent"] = _at(self._archive, number).instruction
            case "mutant.accepted" if "kept" in fields:
                whole["text"] = _begun(self._parent, whole.pop("kept")) + fields["text"]
            case "round.finished" if "kept" in fields:
                whole["texts"] = _together(self._texts, whole.pop("kept"), fields["texts"])
                if "reasoning" in fields:
                    whole["reasoning"] = _together(self._reasoning, *fields["reasoning"])
                whole["replacements"] = [{"state": state, "donor": donor} for state, donor in fields["replacements"]]
                finished = set(fields["finished"])
                whole["finished"] = [state in finished for state in range(len(whole["texts"]))]
            case "population.scored":
                whole["comparisons"] = [_comparison(row) for row in fields["comparisons"]]
            case "cycle.finished":
                whole["rewards"] = rewards = fields.get("rewards", self._rewards)
                candidates = _found(fields["candidates"], self._of_states(rewards))
                whole["candidates"] = candidates
                whole["archive"] = archive = _found(fields["archive"], (*self._archive, *candidates))
                whole["best_reward"] = fields["best_reward"] if "best_reward" in fields else _best(archive)
        return whole

    def _of_states(self, rewards: Iterable[float | None]) -> tuple[ArchiveEntry, ...]:
        """The states' instructions with these rewards. Where there are no mutants, all have the parent's."""
        named = (self._mutants.get(state, self._parent) for state in count())
        # Where a cycle ends, every state has a reward.
        return tuple(ArchiveEntry(name, cast(float, reward)) for name, reward in zip(named, rewards, strict=False))

    def _note(self, event: Event) -> None:
        match event:
            case CycleStarted():
                self._parent, self._mutants, self._texts, self._rewards = event.parent, {}, {}, ()
                self._reasoning = {}
            case MutantAccepted():
                self._mutants[event.state] = event.text
            case BaseScored():
                # It is complete before the first cycle is, in which the parent is the original instruction.
                self._archive = (ArchiveEntry(self._parent, event.reward),)
            case RoundFinished():
                donors = {item.state: item.donor for item in event.replacements}
                self._texts, self._reasoning = (
                    {state: texts[donors.get(state, state)] for state in range(len(texts))}
                    for texts in (event.texts, event.reasoning)
                )
                self._rewards = event.rewards
            case CycleFinished():
                self._archive = event.archive


def shared_length(old: Sequence[Any], new: Sequence[Any]) -> int:
    """How much of its beginning the new one has in common with the old one."""
    if new[: len(old)] == old:
        return len(old)
    return next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(new))


def _comparison(row: Any) -> Any:
    """A comparison of its values in order, or whole."""
    return row if isinstance(row, dict) else dict(zip(_COMPARISON, row, strict=True))


def _best(archive: Iterable[ArchiveEntry]) -> float | None:
    return max((entry.reward for entry in archive), default=None)


def _continued(old: str, new: str) -> tuple[int, str]:
    kept = shared_length(old, new)
    return kept, new[kept:]


def _pieces(old: Mapping[int, str], new: Sequence[str]) -> tuple[int | list[int], list[str]]:
    """Of each text, how much of its beginning the state's old one has, one number where all have as much; the rests."""
    pieces = [_continued(old.get(state, ""), text) for state, text in enumerate(new)]
    lengths = [kept for kept, _ in pieces]
    same = bool(lengths) and lengths.count(lengths[0]) == len(lengths)
    return lengths[0] if same else lengths, [text for _, text in pieces]


def _together(old: Mapping[int, str], kept: int | list[int], new: Sequence[str]) -> list[str]:
    """The texts that `_pieces` was given."""
    lengths = [kept] * len(new) if isinstance(kept, int) else kept
    return [_begun(old.get(i, ""), length) + rest for i, (length, rest) in enumerate(zip(lengths, new, strict=True))]


def _begun(text: str, kept: int) -> str:
    if not 0 <= kept <= len(text):
        raise ValueError("a text that goes on from what was not told")
    return text[:kept]


def _named(entries: Iterable[ArchiveEntry], known: Sequence[ArchiveEntry]) -> list[int | dict[str, Any]]:
    """Each entry as its place among those that are known, or whole."""
    return [known.index(entry) if entry in known else asdict(entry) for entry in entries]


def _found(names: Iterable[Any], known: Sequence[ArchiveEntry]) -> tuple[ArchiveEntry, ...]:
    return tuple(_at(known, name) if isinstance(name, int) else ArchiveEntry(**name) for name in names)


def _at(entries: Sequence[ArchiveEntry], place: int) -> ArchiveEntry:
    if not 0 <= place < len(entries):
        raise ValueError("an archive with an instruction that was not told")
    return entries[place]
