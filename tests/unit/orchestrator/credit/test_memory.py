"""That the nearest observations are found while others come and go."""

from dataclasses import replace

import numpy as np
import pytest

from services.orchestrator.credit.memory import Memory
from services.orchestrator.credit.neighbours import packed, unpacked
from shared.records.credit import Observation
from tests.unit.orchestrator.credit.test_neighbours import points


def observations(seed: int, count: int) -> list[Observation]:
    vectors = points(seed, count)
    return [
        Observation(f"evo_{seed}_{number}:1", float(number), "", (), packed(vector.astype("<f4").tobytes()))
        for number, vector in enumerate(vectors)
    ]


@pytest.mark.parametrize("brute", [0, 10_000])
def test_what_is_found_is_the_nearest_whatever_came_and_went(brute: int) -> None:
    memory, held = Memory(brute), observations(1, 400)
    rng = np.random.default_rng(2)
    for step in range(6):
        vector = packed(points(100 + step, 1)[0].astype("<f4").tobytes())
        scores = unpacked([each.vector for each in held]) @ unpacked([vector])[0]
        best = sorted(np.argsort(-scores, kind="stable")[:25])
        assert [each.id for each in memory.nearest(held, vector, 25)] == [held[index].id for index in best]
        held = [each for each in held if rng.random() > 0.02] + observations(10 + step, 9)


def test_few_are_all_of_the_nearest() -> None:
    held = observations(1, 5)
    assert Memory().nearest(held, held[0].vector, 5) == held


def test_embeddings_of_another_width_are_searched_anew() -> None:
    memory, held = Memory(), observations(1, 30)
    memory.nearest(held, held[0].vector, 3)
    narrow = [replace(each, vector=packed(np.eye(4, dtype="<f4")[i % 4].tobytes())) for i, each in enumerate(held)]
    assert [each.id for each in memory.nearest(narrow, narrow[2].vector, 2)] == [narrow[2].id, narrow[6].id]
