"""The only place where the mutation service's parts are built."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from services.mutation import fidelity
from services.mutation.embedding import Embedder
from services.mutation.fidelity import Fidelity
from services.mutation.language_model import GenerationClient, LanguageModel
from services.mutation.mutator import InstructionMutator
from services.mutation.operators import OPERATORS
from services.mutation.servicer import MutationServicer
from services.mutation.settings import MutationSettings
from services.mutation.suitability import AutoMode
from shared.pb import mutation_pb2, mutation_pb2_grpc
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.process.tasks import end
from shared.rpc.balancing import Replicas
from shared.rpc.service import Service
from shared.rpc.tls import Transport
from shared.text import languages


def build_mutator(settings: MutationSettings, llm: LanguageModel, measure: Fidelity) -> InstructionMutator:
    """The mutator over a language model and a loaded measure of fidelity."""
    return InstructionMutator(
        llm,
        measure,
        threshold=settings.threshold,
        operators=[OPERATORS[name] for name in settings.operators],
        max_tokens=settings.max_tokens,
    )


def _load(encoder: str) -> Fidelity:
    languages.load()
    return fidelity.load(encoder)


def build_service(settings: MutationSettings, transport: Transport) -> Service:
    """The service as a process runs it; its start connects to the generation service and loads the encoder."""
    generation = Replicas("generation", settings.generation, GenerationServiceStub, transport)
    resources = AsyncExitStack()
    servicer = MutationServicer()

    async def start() -> None:
        await resources.enter_async_context(generation)
        # On a thread, so that the process answers health checks and SIGTERM meanwhile.
        thread = ThreadPoolExecutor(1, "load")
        measure = await asyncio.get_running_loop().run_in_executor(thread, _load, settings.encoder)
        llm = GenerationClient(generation, settings.temperature)
        servicer.mutator = build_mutator(settings, llm, measure)
        if not settings.operators and settings.auto_share < 1:
            following = asyncio.create_task(AutoMode(servicer.mutator, llm.name, settings.auto_share).follow())
            resources.push_async_callback(end, following)
        servicer.embedder = Embedder(measure.encoder, settings.encoder)
        resources.callback(servicer.embedder.close)

    return Service(
        name="mutation",
        grpc_names=[mutation_pb2.DESCRIPTOR.services_by_name["MutationService"].full_name],
        add_to_server=mutation_pb2_grpc.add_MutationServiceServicer_to_server,
        servicer=servicer,
        start=start,
        stop=resources.aclose,
    )
