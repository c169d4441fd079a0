from collections.abc import Iterator

import pytest

from cli.stack import Stack, StackSettings
from tests.otlp import Traces, receiver


@pytest.fixture(scope="package")
def traces() -> Iterator[Traces]:
    """What every process of a stack that is pointed here tells of its work."""
    with receiver() as receiving:
        yield receiving


@pytest.fixture(scope="package")
def stack(traces: Traces) -> Iterator[Stack]:
    """The embedded default, with two workers: every process, a real language model, a real reward model."""
    # Who writes mutants is fixed, so that nothing measures it while tests measure other things.
    env = {**traces.env, "DARWIN_MUTATION_AUTO_SHARE": "1"}
    with Stack(StackSettings(workers=2, env=env)) as running:
        yield running
        running.check()
        codes = running.stop()
        assert set(codes.values()) == {0}, codes


@pytest.fixture(scope="package")
def simulated_stack() -> Iterator[Stack]:
    """Every process, with simulated models, which think first where a request says so."""
    thinking = {
        "DARWIN_GENERATION_SIMULATED_THINKING_TOKENS": "30",
        "DARWIN_GENERATION_CHAT_TEMPLATE_ARGUMENTS": '{"enable_thinking": false}',
    }
    with Stack(StackSettings.simulated(env=thinking)) as running:
        yield running
        running.check()
        codes = running.stop()
        assert set(codes.values()) == {0}, codes
