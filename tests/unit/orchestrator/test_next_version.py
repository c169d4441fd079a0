"""What is said of a search that ended without any response: the reason that stopped it."""

import pytest

from services.orchestrator.core import machine, transitions
from services.orchestrator.core.presets import config_for
from services.orchestrator.next_version import with_answer
from shared.methods import Method
from shared.records.evolution import EvolutionRequest, Message, Sampling, StoppedBy
from shared.records.search import Search
from shared.records.turns import instruction_of
from tests.integration.stages import record_of


def request(method: Method) -> EvolutionRequest:
    return EvolutionRequest(method, (Message("user", "Explain tides."),), Sampling(24), Search(), seed=1)


@pytest.mark.parametrize("method", ["sample", "best-of-n", "darwin"])
@pytest.mark.parametrize(
    ("stopped_by", "code", "field"),
    [
        ("deadline_ms", "DeadlineExceeded", None),
        ("max_generated_tokens", "InvalidRequest", "darwin.max_generated_tokens"),
        ("max_reward_calls", "InvalidRequest", "darwin.max_reward_calls"),
    ],
)
def test_the_reason_is_the_one_that_stopped_it(
    method: Method, stopped_by: StoppedBy, code: str, field: str | None
) -> None:
    asked = request(method)
    evolution, _ = machine.begin(config_for(asked), instruction_of(asked.messages), 1)
    record = with_answer(record_of(asked), transitions.conclude(evolution, stopped_by))
    assert record.status == "failed"
    assert record.error is not None
    assert (record.error.code, record.error.field) == (code, field)
    assert ("deadline" in record.error.message) == (stopped_by == "deadline_ms")
    assert record.result is not None
    assert record.result.stopped_by == stopped_by


def test_a_cancelled_search_needs_no_reason() -> None:
    asked = request("darwin")
    evolution, _ = machine.begin(config_for(asked), instruction_of(asked.messages), 1)
    record = with_answer(record_of(asked), transitions.conclude(evolution, "cancelled"))
    assert (record.status, record.error) == ("cancelled", None)
