"""Runs the mutation service: `python -m services.mutation`."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from services.mutation import fidelity
from services.mutation.language_model import GenerationClient
from services.mutation.mutator import Mutator
from services.mutation.operators import OPERATORS
from services.mutation.servicer import MutationServicer
from services.mutation.settings import Settings
from shared.pb import mutation_pb2, mutation_pb2_grpc
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.process.settings import refusing
from shared.rpc.balancing import Replicas
from shared.rpc.service import Service, run_service
from shared.rpc.tls import Transport


class _Process:
    """What the service builds at its start and frees at its end."""

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self._settings = settings
        self._generation = Replicas("generation", settings.generation, GenerationServiceStub, transport)
        self._resources = AsyncExitStack()
        self.servicer = MutationServicer()

    async def start(self) -> None:
        settings = self._settings
        await self._resources.enter_async_context(self._generation)
        measure = await asyncio.get_running_loop().run_in_executor(
            ThreadPoolExecutor(1, "load"), fidelity.load, settings.encoder
        )
        self.servicer.mutator = Mutator(
            GenerationClient(self._generation, settings.temperature),
            measure,
            threshold=settings.threshold,
            operators=[OPERATORS[name] for name in settings.operators],
            max_tokens=settings.max_tokens,
        )

    async def stop(self) -> None:
        await self._resources.aclose()


def main() -> None:
    with refusing("mutation"):
        settings, transport = Settings(), Transport()
        run_service(_service(_Process(settings, transport)), settings.listen, transport)


def _service(process: _Process) -> Service:
    return Service(
        name="mutation",
        grpc_names=[mutation_pb2.DESCRIPTOR.services_by_name["MutationService"].full_name],
        add_to_server=mutation_pb2_grpc.add_MutationServiceServicer_to_server,
        servicer=process.servicer,
        start=process.start,
        stop=process.stop,
    )


if __name__ == "__main__":
    main()
