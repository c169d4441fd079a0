"""The pieces of every response are its text and tokens, written by whom the core says; the tree is the archive's."""

from typing import Any

from hypothesis import given, settings

from cli.history.archive import Branch, archive_tree
from cli.history.lineage import pieces, population
from cli.history.recording import SavedRecording, parse, request_of
from services.orchestrator.adapters import outcome_json
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import BASE, EvolutionState
from shared.records.events import CycleFinished
from tests.examples import examples
from tests.unit.cli.history.evolved import evolved, recordings, request_for
from tests.unit.cli.history.test_replaying import CONFIG


def told_again(recording: SavedRecording) -> EvolutionState:
    request = request_of(recording)
    evolution, _ = machine.begin(config_for(request), request.messages[-1].content, request.seed)
    for attempt in recording.attempts:
        for value in attempt.outcomes:
            evolution, _ = machine.apply(evolution, outcome_json.load_outcome(value))
    return evolution


def branches(tree: Branch) -> list[Branch]:
    return [tree, *(found for child in tree.children for found in branches(child))]


@settings(max_examples=examples(60))
@given(recordings())
def test_pieces_are_the_response_and_were_written_by_whom_the_core_says(document: dict[str, Any]) -> None:
    recording = parse(document, "it")
    assert recording.result is not None
    finals = {(final.cycle, final.state): final for final in told_again(recording).finals}
    for choice in recording.result.choices:
        found = pieces(recording, choice)
        assert "".join(piece.text for piece in found) == choice.text
        assert sum(piece.tokens or 0 for piece in found) == choice.completion_tokens
        if choice.state is not None:
            final = finals[choice.cycle, choice.state]
            written = [(piece.round, piece.state, piece.tokens) for piece in found]
            assert written == [(it.round, it.state, it.tokens) for it in final.response.pieces if it.tokens]
            assert {piece.mutant for piece in found} <= set(population(recording, choice.cycle).values())
    assert BASE in {state for _, state in finals} or not recording.result.base


@given(recordings())
def test_without_attempts_the_text_is_still_followed(document: dict[str, Any]) -> None:
    with_tokens, without = parse(document, "it"), parse(document | {"attempts": []}, "it")
    assert with_tokens.result is not None
    for choice in with_tokens.result.choices:
        known = [(piece.round, piece.text) for piece in pieces(with_tokens, choice) if piece.text]
        assert known == [(piece.round, piece.text) for piece in pieces(without, choice) if piece.text]


@given(recordings())
def test_the_tree_holds_every_mutant_once_and_the_archive(document: dict[str, Any]) -> None:
    recording = parse(document, "it")
    assert recording.result is not None
    found = branches(archive_tree(recording))
    cycles = {branch.cycle for branch in found}
    assert len(found) == 1 + sum(len(population(recording, cycle)) for cycle in cycles - {0})
    ends = [event for event in recording.events if isinstance(event, CycleFinished)]
    if ends:
        entries = {(entry.instruction, entry.reward) for entry in ends[-1].archive}
        kept = {(branch.mutant.text, branch.reward) for branch in found if branch.entered and not branch.left}
        assert entries <= kept
        assert {text for text, _ in kept} == {text for text, _ in entries}
    assert sum(branch.won for branch in found) == bool(recording.result.choices)


def test_what_the_next_cycle_was_made_from_has_it_below() -> None:
    made = (parse(evolved(request_for(CONFIG, seed)), "it") for seed in range(50))
    recording, parents = next((each, found) for each in made if (found := _parents(each))[1] != found[0])
    tree = archive_tree(recording)
    assert [branch.cycle for branch in tree.children] == [1] * CONFIG.mutants
    second = [branch for branch in branches(tree) if any(child.cycle == 2 for child in branch.children)]
    assert [branch.mutant.text for branch in second] == [parents[1]]
    assert second[0].entered


def _parents(recording: SavedRecording) -> list[str]:
    return [event.parent for event in recording.events if event.type == "cycle.started"]
