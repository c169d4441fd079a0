"""The only place where the generation service's parts are built."""

import importlib.util
import logging
from functools import partial
from typing import assert_never

from services.generation import metrics
from services.generation.endpoint.client import Endpoint
from services.generation.endpoint.url import check_private
from services.generation.engine import Engine
from services.generation.generator import Generator
from services.generation.loading import loading
from services.generation.servicer import GenerationServicer
from services.generation.settings import GenerationSettings
from services.generation.simulated_batch import Batch, latency_named
from services.generation.simulated_cache import PrefixCache
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import Limits
from shared.pb import generation_pb2, generation_pb2_grpc
from shared.process.certificates import Certificates
from shared.rpc.service import Service

log = logging.getLogger(__name__)


def build_engine(settings: GenerationSettings) -> Engine:
    """The engine that `settings.engine` names; "auto" takes vLLM where it is installed."""
    name = settings.engine
    if name == "auto":
        name = "vllm" if importlib.util.find_spec("vllm") else "transformers"
        log.info("engine auto: %s (vllm is %sinstalled)", name, "" if name == "vllm" else "not ")
    match name:
        case "vllm":
            from services.generation.vllm_engine import VllmEngine

            return VllmEngine(settings)
        case "transformers":
            from services.generation.transformers_engine import TransformersEngine

            return TransformersEngine(settings)
        case "openai":
            from services.generation.openai_engine import OpenAIEngine

            return OpenAIEngine(settings, build_endpoint(settings))
        case "simulated":
            return _simulated_engine(settings)
        case unknown:
            assert_never(unknown)


def _simulated_engine(settings: GenerationSettings) -> Engine:
    batch = None
    if settings.simulated_latency:
        latency = latency_named(settings.simulated_latency).stretched(settings.simulated_stretch)
        batch = Batch(latency, settings.max_running)
    return SimulatedEngine(
        settings.simulated_tokens_per_second,
        settings.simulated_response_tokens,
        batch,
        PrefixCache(settings.simulated_cache_blocks),
    )


def build_endpoint(settings: GenerationSettings) -> Endpoint:
    """The endpoint that `settings` name, with a connection for each sequence asked for at once.

    Raises:
        SettingsError: prompts would leave this machine in plain text.
    """
    check_private(settings.endpoint, Certificates().allow_plaintext)
    key = settings.endpoint_key.get_secret_value() if settings.endpoint_key else None
    return Endpoint(settings.endpoint, key, settings.max_running)


def build_generator(engine: Engine, settings: GenerationSettings) -> Generator:
    """A generator over an engine, which the caller starts and stops."""
    limits = Limits(
        sequences=settings.max_sequences,
        new_tokens=settings.max_new_tokens,
        lookahead_tokens=settings.max_lookahead_tokens,
        messages=settings.max_messages,
        conversation_characters=settings.max_conversation_characters,
    )
    return Generator(engine, limits)


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
