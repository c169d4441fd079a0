from collections.abc import Iterator

import pytest

from cli.stack import Stack, StackSettings


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
    with Stack(StackSettings.simulated()) as running:
        yield running
        running.check()
        codes = running.stop()
        assert set(codes.values()) == {0}, codes
