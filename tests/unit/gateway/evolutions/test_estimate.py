"""What a search may spend, from its request alone."""

from dataclasses import replace

import pytest

from services.gateway.evolutions.estimate import estimate
from shared.methods import METHODS, Method
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search

ASKED = EvolutionRequest("darwin", (Message("user", "Why is the sky blue?"),), Sampling(100), Search(), seed=1)


@pytest.mark.parametrize(
    ("method", "search", "sampled"),
    [
        ("sample", Search(cycles=0), 100),
        ("best-of-n", Search(mutants=4), 500),
        ("best-of-n", Search(mutants=4, cycles=2), 900),
        ("replacement-only", Search(mutants=4, period=30), 500),
        ("replacement-only", Search(mutants=4, period=30, lookahead=10), 500 + 4 * 4 * 10),
        ("mutation-only", Search(mutants=4, mutation="templates"), 500),
        ("mutation-only", Search(mutants=4, mutation="model"), 500 + 4 * 96),
        ("darwin", Search(mutants=4), 500 + 4 * 96),
        ("darwin", Search(mutants=4, mutation="templates", max_generated_tokens=50), 50 + 1 + 2 * 4),
        ("darwin", Search(mutants=4, mutation="model", max_generated_tokens=600), 600 + 1 + 2 * 4),
        ("best-of-n", Search(mutants=4, max_generated_tokens=50), 50 + 1 + 2 * 4),
    ],
)
def test_what_is_sampled(method: Method, search: Search, sampled: int) -> None:
    assert estimate(replace(ASKED, method=method, search=search)).counted == sampled


def test_every_stage_is_estimated() -> None:
    for method in METHODS:
        found = estimate(replace(ASKED, method=method, search=Search(cycles=int(METHODS[method].searches))))
        assert found.prompt == len("Why is the sky blue?")
        assert found.reward >= 120
        assert (found.mutation > 0) == METHODS[method].mutates
