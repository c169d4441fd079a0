"""The table of engines. A new engine is a module beside this one and a row here.

Settings, command line and contract suite take the names from this table. A row's function imports its engine's module
when it is called and not before, so that a process loads the library of its own engine only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from services.generation.engine import Engine

if TYPE_CHECKING:
    from services.generation.settings import GenerationSettings


@dataclass(frozen=True)
class EngineEntry:
    """`summary` tells people in a few words what they choose; `build` makes the engine, which is not started yet."""

    summary: str
    build: "Callable[[GenerationSettings], Engine]"


def _vllm(settings: "GenerationSettings") -> Engine:
    from services.generation.vllm_engine import VllmEngine

    return VllmEngine(settings)


def _transformers(settings: "GenerationSettings") -> Engine:
    from services.generation.transformers_engine import TransformersEngine

    return TransformersEngine(settings)


def _openai(settings: "GenerationSettings") -> Engine:
    from services.generation.openai_engine import OpenAIEngine
    from services.generation.probed_endpoint import build_endpoint
    from services.generation.several_endpoints import SeveralEndpoints

    def one(own: "GenerationSettings") -> OpenAIEngine:
        return OpenAIEngine(own, build_endpoint(own))

    several = settings.named_endpoints
    if not several:
        return one(settings)
    own = {each: settings.model_copy(update={"endpoints": "", **each.overrides()}) for each in several}
    return SeveralEndpoints(settings, {each: one(of_each) for each, of_each in own.items()})


def _simulated(settings: "GenerationSettings") -> Engine:
    from services.generation.simulated_engine import build_simulated_engine

    return build_simulated_engine(settings)


ENGINES: Mapping[str, EngineEntry] = MappingProxyType(
    {
        "vllm": EngineEntry("continuous batching and prefix caching", _vllm),
        "transformers": EngineEntry("runs wherever torch does", _transformers),
        "openai": EngineEntry("an OpenAI-compatible endpoint of yours", _openai),
        "simulated": EngineEntry("no model, for tests and studies of scale", _simulated),
    }
)
AUTO = "auto"
AUTO_SUMMARY = "vllm where it is installed, else transformers"

# Type checkers know no Literal that is made of a table; pydantic and typer do.
if TYPE_CHECKING:
    EngineName = str
else:
    EngineName = Literal[(AUTO, *ENGINES)]
    """A name that a setting may have: of the table, or `AUTO`."""
