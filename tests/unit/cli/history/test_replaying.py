"""Whatever ran replays the same, and whatever was changed since is named."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.history.json_diff import NOTHING
from cli.history.recording import NotARecording, parse, request_of
from cli.history.replay import Replay, replay
from tests.examples import examples
from tests.unit.cli.history.evolved import evolved, recordings, request_for
from tests.unit.orchestrator.strategies import Config, any_configs

Document = dict[str, Any]

CONFIG = Config(cycles=2, mutants=4, period=4, survivors=2, lookahead=2, mutate=True, replace=True, max_tokens=16)


def replayed(document: Document) -> Replay:
    return replay(parse(json.loads(json.dumps(document)), "it"))


@pytest.fixture
def document() -> Document:
    return copy.deepcopy(evolved(request_for(CONFIG, 11), pause=0.05))


def of_type(document: Document, kind: str, last: bool = False) -> Document:
    found: list[Document] = [event for event in document["events"] if event["type"] == kind]
    return found[-1 if last else 0]


def outcome(document: Document, kind: str, attempt: int = 0) -> Document:
    found: list[Document] = [item for item in document["attempts"][attempt]["outcomes"] if item["kind"] == kind]
    return found[0]


@settings(max_examples=examples(100))
@given(recordings())
def test_whatever_ran_replays_the_same(document: Document) -> None:
    told = replayed(document)
    assert told == Replay(len(document["events"]) - 2, False, None)


def test_what_versions_before_hard_budgets_recorded_replays_the_same_or_is_refused() -> None:
    recordings = [json.loads(line) for line in (Path(__file__).parent / "recorded.jsonl").read_text().splitlines()]
    refused = {}
    for document in recordings:
        try:
            assert replayed(document) == Replay(len(document["events"]) - 2, False, None)
        except NotARecording as error:
            refused[document["result"]["stopped_by"]] = str(error).partition("replayed: ")[2]
    assert {document["result"]["stopped_by"] for document in recordings} - refused.keys() == {None, "deadline_ms"}
    kept = "a version recorded it that kept to budgets between rounds only"
    assert refused == {
        budget: f"it spent more than its {budget}: {kept}" for budget in ("max_generated_tokens", "max_reward_calls")
    }


@settings(max_examples=20)
@given(any_configs(), st.integers(0, 2**32), st.sampled_from([0.0, 0.1]))
def test_a_search_that_compares_responses_is_replayed(config: Config, seed: int, pause: float) -> None:
    request = replace(request_for(config, seed), relative_rewards=True)
    assert replayed(evolved(request, seed, pause, stop=0.01)).difference is None


def test_wishes_that_were_withheld_are_told_once_kept_and_replayed() -> None:
    request = replace(request_for(CONFIG, 11), wishes=("at most two sentences", "plain words"))
    document = evolved(request, pause=0.05)
    assert sum(event["type"] == "cycle.started" for event in document["events"]) == 2
    told = [event for event in document["events"] if event["type"] == "wishes.withheld"]
    assert told == [{"type": "wishes.withheld", "cycle": 1, "wishes": list(request.wishes)}]
    assert document["result"]["wishes_withheld"] == list(request.wishes)
    assert replayed(document) == Replay(len(document["events"]) - 2, False, None)


def test_the_request_is_as_it_was_accepted() -> None:
    request = replace(request_for(CONFIG, 11), relative_rewards=True)
    assert request_of(parse(evolved(request), "it")) == request


def test_what_shapes_sampling_is_recorded_where_it_has_an_effect() -> None:
    plain = request_for(CONFIG, 11)
    shaped = replace(plain, sampling=replace(plain.sampling, min_p=0.1, logit_bias={42: -1.0}, ignore_eos=True))
    assert evolved(shaped)["settings"].keys() - evolved(plain)["settings"].keys() == {
        "min_p",
        "logit_bias",
        "ignore_eos",
    }
    assert request_of(parse(json.loads(json.dumps(evolved(shaped))), "it")) == shaped


def test_older_recordings_name_the_method_as_their_model(document: Document) -> None:
    document["model"] = document.pop("method")
    assert parse(document, "it").method == "darwin"
    assert replayed(document).difference is None


def test_the_name_of_the_model_changes_nothing(document: Document) -> None:
    document["model"] = "openai/gpt-4o"
    assert request_of(parse(document, "it")).method == "darwin"
    assert replayed(document).difference is None


def drop_event(document: Document) -> None:
    document["events"].remove(of_type(document, "round.finished"))


def drop_middle_attempt(document: Document) -> None:
    del document["attempts"][2]


def drop_outcome(document: Document) -> None:
    document["attempts"][-1]["outcomes"].pop()


def double_outcome(document: Document) -> None:
    outcomes = document["attempts"][0]["outcomes"]
    outcomes.insert(1, outcomes[0] | {"state": 99} if "state" in outcomes[0] else outcomes[-1])


def donor(document: Document) -> None:
    of_type(document, "round.finished")["replacements"][0]["donor"] = 99


def archived(document: Document) -> None:
    of_type(document, "cycle.finished")["archive"][0]["reward"] = 9.0


def component(document: Document) -> None:
    document["result"]["choices"][0]["components"]["helpful"] = 1.0


def survivors(document: Document) -> None:
    of_type(document, "round.finished")["survivors"].reverse()


@pytest.mark.parametrize(
    ("change", "field", "attempt"),
    [
        (lambda it: of_type(it, "cycle.started").update(parent="x"), "cycle.started.parent", 1),
        (lambda it: it["messages"][-1].update(content="x"), "cycle.started.parent", 1),
        (lambda it: of_type(it, "mutant.accepted").update(text="x"), "mutant.accepted.text", 1),
        (lambda it: of_type(it, "base.scored").update(reward=9.0), "base.scored.reward", ...),
        (survivors, "round.finished.survivors[0]", ...),
        (lambda it: of_type(it, "round.finished")["texts"].pop(), "round.finished.texts[3]", ...),
        (lambda it: of_type(it, "round.finished").update(tokens=1), "round.finished.tokens", ...),
        (lambda it: outcome(it, "Scored").update(reward=9.0), ("round.finished.rewards", "base.scored.reward"), ...),
        (donor, "round.finished.replacements[0].donor", ...),
        (archived, "cycle.finished.archive[0].reward", ...),
        (lambda it: it["settings"].update(seed=12), ("round.finished.replacements", "cycle.started.parent"), ...),
        (lambda it: it["settings"].update(survivors=3), "round.finished.survivors[2]", ...),
        (lambda it: it["settings"].update(n=3), "result.choices[1]", None),
        (drop_event, "round.finished.round", ...),
        (lambda it: it["events"].insert(-1, of_type(it, "cycle.started")), "event", None),
        (lambda it: it["events"].reverse(), "event", 1),
        (lambda it: it["attempts"].pop(), "version", None),
        (drop_middle_attempt, "version", 4),
        (drop_outcome, "event", None),
        (double_outcome, "outcomes[1]", 1),
        (lambda it: it["attempts"][0].update(cycle=2), "cycle", 1),
        (lambda it: it["attempts"][-1].update(round=7), "round", ...),
        (lambda it: it["result"]["choices"][0].update(text="x"), "result.choices[0].text", None),
        (component, "result.choices[0].components.helpful", None),
        (lambda it: it["result"]["base"].update(completion_tokens=99), "result.base.completion_tokens", None),
        (lambda it: it["result"]["tokens"].update(kept=0), "result.tokens.kept", None),
        (lambda it: it["result"].update(rounds=99), "result.rounds", None),
        (lambda it: it.update(result=None), "result", None),
        (lambda it: it["result"].update(stopped_by="deadline_ms"), "evolution.ended.stopped_by", None),
        (lambda it: it.update(status="cancelled"), "evolution.ended.status", None),
        (lambda it: it.update(version=99), "version", None),
    ],
)
def test_what_was_changed_since_is_named(
    change: Callable[[Document], None], field: str | tuple[str, ...], attempt: int | None, document: Document
) -> None:
    change(document)
    difference = replayed(document).difference
    assert difference is not None
    assert difference.field.startswith(field)
    assert attempt is ... or difference.attempt == attempt
    assert difference.recorded != difference.replayed


def test_an_outcome_nobody_asked_for_is_shown_with_what_was(document: Document) -> None:
    document["attempts"][0]["outcomes"].insert(0, {"kind": "Scored", "cycle": 1, "round": 1, "state": 2, "reward": 1.0})
    difference = replayed(document).difference
    assert difference is not None
    assert (difference.attempt, difference.field) == (1, "outcomes[0]")
    assert difference.recorded["kind"] == "Scored"
    assert difference.replayed[0] == "mutate 1"


def test_an_unfinished_evolution_is_replayed_as_far_as_it_came() -> None:
    document = evolved(request_for(CONFIG, 11), most_attempts=3)
    assert replayed(document) == Replay(len(document["events"]) - 1, True, None)
    document["events"].pop()
    assert replayed(document).difference is not None


def test_a_failed_evolution_replays_without_an_answer() -> None:
    document = evolved(request_for(CONFIG, 11), most_attempts=3)
    failure = {"code": "Unavailable", "message": "away", "field": None}
    document |= {"status": "failed", "error": failure}
    document["events"].append({"type": "evolution.ended", "status": "failed", "error": failure, "stopped_by": None})
    assert replayed(document) == Replay(len(document["events"]) - 2, False, None)
    document["error"] = failure | {"code": "Internal"}
    difference = replayed(document).difference
    assert difference is not None
    assert difference.field == "evolution.ended.error.code"


def test_an_attempt_that_failed_before_its_round_began_changes_nothing(document: Document) -> None:
    unbegun = {"id": "0", "version": 1, "cycle": 0, "round": 0, "started_at": 0.0, "ended_at": 0.0}
    document["attempts"] = [unbegun, *({**it, "version": it["version"] + 1} for it in document["attempts"])]
    document["version"] += 1
    assert replayed(document) == Replay(len(document["events"]) - 2, False, None)


def without(name: str) -> Callable[[Document], None]:
    return lambda document: document.pop(name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("attempts"), "recorded before attempts were"),
        (lambda it: it.update(status="queued", attempts=[], result=None), "it has not begun"),
        (lambda it: it["attempts"].pop(0), "before version 2 are missing"),
        (without("messages"), "messages: Field required"),
        (without("events"), "events: Field required"),
        (lambda it: it["events"].append({"type": "island.merged"}), "island.merged"),
        (lambda it: it["settings"].update(islands=3), r"settings\.islands, which is not known here"),
        (lambda it: of_type(it, "base.scored").update(island=3), r"\.island, which is not known here"),
        (lambda it: it["attempts"][1].update(island=3), r"attempts\[1\]\.island, which is not known here"),
        (lambda it: outcome(it, "Generated").update(island=3), "island, which is not known here"),
        (lambda it: outcome(it, "Generated").update(kind="Merged"), "no known kind"),
        (lambda it: outcome(it, "Generated").update(token_ids="x"), "token_ids"),
        (lambda it: it["settings"].update(survivors=9), "its settings are impossible"),
        (lambda it: it.update(method="annealing"), "method"),
        (lambda it: it["settings"].update(max_generated_tokens=20), "more than its max_generated_tokens: a version"),
        (lambda it: it["settings"].update(max_reward_calls=5), "more than its max_reward_calls: a version"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_a_reason(
    change: Callable[[Document], object], reason: str, document: Document
) -> None:
    change(document)
    with pytest.raises(NotARecording, match=reason):
        replayed(document)


def test_more_recorded_than_replayed_and_less(document: Document) -> None:
    less, more = copy.deepcopy(document), document
    less["events"].remove(of_type(less, "cycle.finished", last=True))
    more["events"].insert(-1, of_type(more, "cycle.finished", last=True))
    for changed, side in ((less, "recorded"), (more, "replayed")):
        difference = replayed(changed).difference
        assert difference is not None
        assert getattr(difference, side) == NOTHING
