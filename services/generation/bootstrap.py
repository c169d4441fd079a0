"""The only place where the generation service's parts are built."""

import importlib.util
import logging
from functools import partial

from services.generation import metrics
from services.generation.engine import Engine
from services.generation.engines import AUTO, ENGINES
from services.generation.generator import SequenceGenerator
from services.generation.loading import loading
from services.generation.servicer import GenerationServicer
from services.generation.settings import GenerationSettings
from services.generation.validation import GenerationLimits
from shared.pb import generation_pb2, generation_pb2_grpc
from shared.rpc.service import Service

log = logging.getLogger(__name__)


def build_engine(settings: GenerationSettings) -> Engine:
    """The engine that `settings.engine` names; "auto" takes vLLM where it is installed."""
    name = settings.engine
    if name == AUTO:
        name = "vllm" if importlib.util.find_spec("vllm") else "transformers"
        log.info("engine auto: %s (vllm is %sinstalled)", name, "" if name == "vllm" else "not ")
    return ENGINES[name].build(settings)


def build_generator(engine: Engine, settings: GenerationSettings) -> SequenceGenerator:
    """A generator over an engine, which the caller starts and stops."""
    return SequenceGenerator(engine, GenerationLimits(), settings.prompt_cache_bytes)


async def _start(engine: Engine, model: str) -> None:
    with loading(model):
        await engine.start()


def build_service(settings: GenerationSettings) -> Service:
    """The service as a process runs it."""
    engine = build_engine(settings)
    generator = build_generator(engine, settings)
    metrics.watch(engine, generator)
    return Service(
        name="generation",
        grpc_names=[generation_pb2.DESCRIPTOR.services_by_name["GenerationService"].full_name],
        add_to_server=generation_pb2_grpc.add_GenerationServiceServicer_to_server,
        servicer=GenerationServicer(generator),
        start=partial(_start, engine, settings.model),
        stop=engine.stop,
        failed=engine.failed,
    )
