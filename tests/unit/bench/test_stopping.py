"""Stopping that is replayed off line is what the core decides, and is told with what it keeps."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from bench import stopping
from bench.stopping import (
    CycleEnd,
    Judged,
    Searched,
    at_price,
    chosen_price,
    fixed,
    halves,
    kept,
    searches,
    usual_prices,
    verdict,
)
from cli.evaluation.rows import Row
from cli.evaluation.run import turn_of
from services.orchestrator.core.values import Config
from tests.unit.cli.history.evolved import evolved, request_for

SEEDS = range(6)
CONFIG = Config(
    cycles=3, mutants=4, period=4, survivors=1, lookahead=0, mutate=True, replace=True, max_tokens=12, token_price=0.0
)


def document(config: Config, seed: int) -> dict[str, Any]:
    # Responses do not end by themselves: an empty one would be no answer, however it is rewarded.
    return {
        **evolved(request_for(config, seed), end_probability=0.0),
        "id": f"evo_{config.cycles}_{config.token_price}_{seed}",
    }


def row(made: dict[str, Any], seed: int) -> Row:
    turn = turn_of(made, "Why?", 0.0)
    turn = turn.model_copy(update={"judge": float(len(turn.answer)), "base_judge": float(len(turn.base))})
    setting = {"cycles": made["settings"]["cycles"]}
    return Row(question=f"q{seed}", method=made["method"], setting=setting, seed=0, turns=(turn,), versions={})


@pytest.fixture(scope="module")
def longest() -> list[dict[str, Any]]:
    return [document(CONFIG, seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def found(longest: list[dict[str, Any]]) -> list[Searched]:
    shorter = [row(document(replace(CONFIG, cycles=cycles), seed), seed) for cycles in (1, 2) for seed in SEEDS]
    return searches(longest, Judged([*map(row, longest, SEEDS), *shorter]))


@pytest.mark.parametrize("mutate", [True, False])
def test_what_is_replayed_is_what_the_core_decides(mutate: bool) -> None:
    config = replace(CONFIG, mutate=mutate)
    made = [document(config, seed) for seed in SEEDS]
    replayed = searches(made, Judged(map(row, made, SEEDS)))
    prices = usual_prices(replayed)
    stops = set()
    for price in (prices[1], prices[4], prices[7]):
        for seed, each in zip(SEEDS, replayed, strict=True):
            result = document(replace(config, token_price=price), seed)
            cycles = [event for event in result["events"] if event["type"] == "cycle.finished"]
            end = each.cycles[each.stop(price)]
            assert len(cycles) == each.stop(price) + 1
            assert end.guide == result["result"]["choices"][0]["reward"]
            assert end.tokens == result["result"]["tokens"]["generated"]
            stops.add(each.stop(price))
    assert len(stops) > 1


def test_fixed_cycles_have_the_guide_the_tokens_and_the_judge_of_their_rows(
    longest: list[dict[str, Any]], found: list[Searched]
) -> None:
    for cycles, shown in enumerate(fixed(found), start=1):
        made = [document(replace(CONFIG, cycles=cycles), seed) for seed in SEEDS]
        assert shown.guide == pytest.approx(fmean(each["result"]["choices"][0]["reward"] for each in made))
        assert shown.tokens == pytest.approx(fmean(each["result"]["tokens"]["generated"] for each in made))
        assert shown.judge == pytest.approx(fmean(len(each["result"]["choices"][0]["text"]) for each in made))
        assert shown.regret is None
    assert shown.share == 1


def test_prices_lie_between_the_fewest_and_the_most_cycles(found: list[Searched]) -> None:
    few, *_, most = fixed(found)
    assert at_price(found, 0.0).tokens == most.tokens
    assert at_price(found, 1e9).tokens == few.tokens
    tokens = [at_price(found, price).tokens for price in sorted(usual_prices(found))]
    assert tokens == sorted(tokens, reverse=True)


def test_responses_that_nobody_judged_are_left_out(longest: list[dict[str, Any]]) -> None:
    unjudged = []
    for made, seed in zip(longest, SEEDS, strict=True):
        judged = row(made, seed)
        turn = judged.turns[0].model_copy(update={"judge": None, "base_judge": None})
        unjudged.append(judged.model_copy(update={"turns": (turn,)}))
    assert fixed(searches(longest, Judged(unjudged)))[0].judge is None


def test_searches_of_fewer_cycles_and_unknown_ones_are_left_out(longest: list[dict[str, Any]]) -> None:
    short = document(replace(CONFIG, cycles=2), 0)
    stopped = document(replace(CONFIG, token_price=1000.0), 1)
    made = [longest[0], short, stopped]
    found = searches([*made, longest[2]], Judged([row(each, seed) for seed, each in enumerate(made)]))
    assert [each.key[0] for each in found] == ["q0"]


def searched(question: str, *cycles: tuple[int, float, float, float]) -> Searched:
    ends = [CycleEnd(tokens, guide, judge, gain, 100.0) for tokens, guide, judge, gain in cycles]
    return Searched("darwin", (question, 0, 0), tuple(ends))


def test_a_folder_of_an_evaluation_is_read(
    longest: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "evolutions.jsonl").write_text("".join(f"{json.dumps(made)}\n" for made in longest))
    rows = [row(made, seed).model_dump_json() for made, seed in zip(longest, SEEDS, strict=True)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    monkeypatch.setattr(stopping, "OUT", tmp_path / "out.json")
    monkeypatch.setattr("sys.argv", ["stopping", str(tmp_path), "--prices", "0,1000000"])
    stopping.main()
    (cell,) = json.loads((tmp_path / "out.json").read_text()).values()
    assert [each["rule"] for each in cell["rows"]] == ["1 cycle", "2 cycles", "3 cycles", "price 0", "price 1e+06"]
    assert cell["verdict"] in " ".join(capsys.readouterr().out.split())


PAYS = ((100, 0.0, 1.0, 0.9), (200, 1.0, 2.0, 0.9), (300, 2.0, 3.0, 0.0))
PAYS_NOT = ((100, 1.0, 1.0, 0.01), (200, 1.0, 1.0, 0.01), (300, 1.0, 1.0, 0.0))


def test_a_rule_that_knows_where_it_pays_has_less_regret_than_any_number_of_cycles() -> None:
    both = [searched("a", *PAYS), searched("b", *PAYS_NOT), searched("c", *PAYS_NOT)]
    found = at_price(both, 1.0)
    assert (found.guide, found.cycles, found.share) == pytest.approx((4 / 3, 5 / 3, 5 / 9))
    # Three cycles of each are worth 1.7, 0.7 and 0.7, which no other number surpasses; the rule 1.7, 0.9 and 0.9.
    assert found.regret == pytest.approx(-0.4 / 3)
    assert kept(both, [2, 2, 2], "all", 1.0).regret == pytest.approx(0.0)


def test_the_verdict_is_of_the_other_questions() -> None:
    good = [searched(name, *(PAYS if name == "a" else PAYS_NOT)) for name in "abcdef"]
    even, odd = halves(good)
    assert [each.key[0] for each in even] == ["a", "c", "e"]
    price = chosen_price(even, [0.05, 1.0, 50.0])
    assert price == 1.0
    assert "guide +0.000, judge +0.000 at 33% of the tokens: holds" in verdict(odd, price)
    assert "FAILS" in verdict([searched("x", *PAYS)], 50.0)
    assert "FAILS" in verdict([searched("x", *PAYS)], 1.0), "all tokens are no saving"
    assert "no price" in verdict(odd, chosen_price(even, []))
