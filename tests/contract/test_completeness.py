"""Whoever adds an engine or a component type gives it a row in its contract suite."""

from services.generation.engines import ENGINES
from services.reward.registry import TYPES
from tests.contract import engine_rows, test_scorers


def test_every_engine_of_the_table_keeps_the_contract() -> None:
    assert {row.partition("-")[0] for row in engine_rows.ROWS} == ENGINES.keys()


def test_every_component_type_keeps_the_contract() -> None:
    assert {row if row in TYPES else row.partition("-")[0] for row in test_scorers.ROWS} == set(TYPES)
