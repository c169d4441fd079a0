"""States in parts: what is written grows with what is new, and what is read is the evolution that was written."""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.adapters.packing import NOTHING_WRITTEN, pack
from services.orchestrator.adapters.unpacking import unpack
from services.orchestrator.core.responses import Response
from services.orchestrator.core.values import Config, EvolutionState, State
from shared.records.evolution import SavedState
from shared.records.schema import UnknownSchema
from tests.unit.orchestrator.strategies import World, any_configs


def without_ended_ids(evolution: EvolutionState) -> EvolutionState:
    """The evolution with 0 for the token ids of responses that have ended, of which only the number is kept."""

    def response(one: Response) -> Response:
        return replace(one, token_ids=(0,) * len(one.token_ids)) if one.finished else one

    def state(one: State) -> State:
        return replace(one, response=response(one.response))

    return replace(
        evolution,
        base=state(evolution.base),
        population=tuple(map(state, evolution.population)),
        finals=tuple(replace(final, response=response(final.response)) for final in evolution.finals),
    )


def as_read(evolution: EvolutionState) -> EvolutionState:
    ended = without_ended_ids(evolution)
    return replace(ended, config=replace(ended.config, mutation="auto", deadline_ms=None, spread=1))


def saved_in_parts(versions: Iterable[EvolutionState], *, cold: bool) -> Iterator[tuple[SavedState, EvolutionState]]:
    """What is saved of each version, and that version, which is what is read again: by one worker that goes on, or,
    where it is `cold`, by another one each time.
    """
    written, parts = NOTHING_WRITTEN, tuple[str, ...]()
    for evolution in versions:
        saved, written = pack(evolution, written)
        parts += saved.parts
        read, found = unpack(SavedState(saved.head, parts))
        assert as_read(read) == as_read(evolution)
        if cold:
            written = found
            assert pack(read, found)[0].parts == ()
        yield saved, evolution


@given(
    config=any_configs(),
    seed=st.integers(0, 999),
    cold=st.booleans(),
    abstain=st.sampled_from([0.0, 0.3]),
    relative=st.booleans(),
)
def test_what_is_read_is_what_was_written(
    config: Config, seed: int, cold: bool, abstain: float, relative: bool
) -> None:
    config = replace(config, relative=relative)
    world = World(seed, abstain_probability=abstain, break_probability=abstain, embeds=bool(config.diversity))
    world.withheld = ("at most two sentences",) if seed % 2 else ()
    assert list(saved_in_parts(world.run(config, random.Random(seed)), cold=cold))


def test_texts_and_token_ids_are_written_once() -> None:
    config = Config(cycles=3, mutants=4, period=5, survivors=1, mutate=True, replace=True, max_tokens=200)
    world = World(3, end_probability=0.0)
    written, parts, heads = NOTHING_WRITTEN, list[str](), list[int]()
    checkpoint, ids = -1, 0
    for evolution in world.run(config):
        if evolution.checkpoint == checkpoint:
            continue
        checkpoint = evolution.checkpoint
        saved, written = pack(evolution, written)
        parts += saved.parts
        heads.append(len(saved.head))
        ids = max(ids, sum(len(state.response.token_ids) for _, state in evolution.states()))
    sampled = evolution.spent.decode
    assert sampled > 4 * 3 * 200
    # A token of this world is about three characters of text and as many of its id.
    assert sum(map(len, parts)) < 10 * sampled
    # A head does not grow with what has been written, but for the few survivors of each round.
    assert max(heads) < 1500


def test_a_version_that_has_shorter_rows_is_told_by_the_number_of_the_schema() -> None:
    """And goes on with whatever has no longer ones."""
    config = Config(cycles=1, mutants=4, period=4, survivors=1, mutate=False, replace=True, max_tokens=12)
    for shrink, abstain, numbers in ((1.0, 0.0, {2}), (0.5, 0.0, {2, 3}), (1.0, 1.0, {2, 3}), (0.5, 2.0, {2, 4})):
        breaks, abstain = divmod(abstain, 2.0)
        world = World(3, 0.0, abstain_probability=abstain, break_probability=breaks)
        seen = world.run(replace(config, shrink=shrink))
        heads = [json.loads(pack(evolution, NOTHING_WRITTEN)[0].head) for evolution in seen]
        assert {head["schema"] for head in heads} == numbers
        for head in heads:
            longest = max(len(row) for row in (head["base"], *head.get("population", ())))
            assert (longest > 8) <= (head["schema"] >= 3)
            assert (longest > 11) <= (head["schema"] == 4)


@pytest.mark.parametrize(
    ("head", "error"),
    [
        ('{"schema":6}', UnknownSchema),
        ('{"schema":2,"base":[null,"decode"],"spent":[],"haste":1}', UnknownSchema),
        ('{"schema":2,"base":[null,"decode"]}', ValueError),
        ('{"schema":2,"base":[7,"decode"],"spent":[]}', ValueError),
        ("[]", ValueError),
        ("{", ValueError),
    ],
)
def test_heads_that_cannot_be_read(head: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        unpack(SavedState(head, ()))
