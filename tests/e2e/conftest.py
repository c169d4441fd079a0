from collections.abc import Iterator

import pytest

from cli.stack import Stack, StackSettings

# Everything real but the models: for what does not depend on them.
SIMULATED = {
    "DARWIN_MUTATION_ENCODER": "simulated",
    "DARWIN_REWARD_PROFILES": "simulated",
}


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The embedded default: every process, a real language model, a real reward model."""
    with Stack(StackSettings()) as running:
        yield running
        running.check()
        codes = running.stop()
        assert set(codes.values()) == {0}, codes


@pytest.fixture(scope="session")
def simulated_stack() -> Iterator[Stack]:
    """Every process, with simulated models."""
    with Stack(StackSettings(engine="simulated", env=SIMULATED)) as running:
        yield running
        running.check()
        codes = running.stop()
        assert set(codes.values()) == {0}, codes
