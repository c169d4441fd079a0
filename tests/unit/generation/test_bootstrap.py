import logging
from typing import Any, get_args

import pytest

from services.generation.bootstrap import build_engine
from services.generation.engines import ENGINES
from services.generation.settings import GenerationSettings

CLASSES = {
    "vllm": "VllmEngine",
    "transformers": "TransformersEngine",
    "openai": "OpenAIEngine",
    "simulated": "SimulatedEngine",
}
NAMES = get_args(GenerationSettings.model_fields["engine"].annotation)


def test_settings_take_the_names_of_the_table_and_auto() -> None:
    assert ("auto", *ENGINES) == NAMES
    assert CLASSES.keys() == ENGINES.keys()


def named(engine: Any) -> GenerationSettings:
    return GenerationSettings(engine=engine, endpoint="http://127.0.0.1:9/v1")


@pytest.mark.parametrize("name", NAMES)
def test_each_engine_that_can_be_set_is_built_and_no_other(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        engine = build_engine(named(name))
    expected = CLASSES[name] if name != "auto" else None
    assert type(engine).__name__ in ((expected,) if expected else ("VllmEngine", "TransformersEngine"))
    assert bool(caplog.records) == (name == "auto")


def test_an_engine_that_is_not_known_here_is_not_simulated() -> None:
    settings = named("simulated").model_copy(update={"engine": "another"})
    with pytest.raises(KeyError, match="another"):
        build_engine(settings)
