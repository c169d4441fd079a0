"""What lines that have ended tell of the price for those to come."""

import pytest

from services.gateway.batches.line_budgets import EndedLine, ended_line, price_of
from shared.compute.sharing import Step
from shared.records.events import CycleFinished, Outlook


def cycle(number: int, outlook: Outlook | None) -> CycleFinished:
    return CycleFinished(number, (0.5,), (), (), 0.5, outlook)


def test_a_line_tells_of_the_cycles_that_it_searched_and_of_those_that_it_did_not() -> None:
    stopped = ended_line([cycle(1, Outlook(0.6, 50, 0.9))], 70, 4)
    assert stopped == EndedLine(70, (Step(0.6, 50), Step(pytest.approx(0.3), 50), Step(pytest.approx(0.2), 50)))
    whole = ended_line([cycle(1, Outlook(0.6, 50, 0.0)), cycle(2, Outlook(0.5, 60, 0.0)), cycle(3, None)], 200, 3)
    assert whole == EndedLine(80, (Step(0.6, 50), Step(0.5, 60)))
    assert ended_line([], 30, 3) == EndedLine(30, ())
    assert ended_line([cycle(1, Outlook(0.1, 0, 0.0))], 0, 2).further[0].cost == 1


def test_the_price_is_what_the_last_token_of_the_budget_gains() -> None:
    lines = [EndedLine(100, (Step(1.0, 50), Step(0.5, 50))), EndedLine(100, (Step(0.2, 50),))]
    assert price_of(lines, 175) == 0
    assert price_of(lines, 150) == pytest.approx(0.2 / 50)
    assert price_of(lines, 125) == pytest.approx(0.5 / 50)
    assert price_of(lines, 100) > 1.0 / 50
    assert price_of(lines, 10) > 1.0 / 50
