"""So many simulated generation replicas in one process: `python -m bench.scale.host 64`."""

import sys

import uvloop

from services.generation.bootstrap import build_engine, build_generator
from services.generation.servicer import GenerationServicer
from services.generation.settings import GenerationSettings
from shared.pb.generation_pb2_grpc import add_GenerationServiceServicer_to_server
from shared.process.lifecycle import ProcessSettings, stop_event
from shared.process.ready import announce
from shared.rpc.server import Server
from shared.telemetry.logs import configure_logging

_SERVICE = "darwin.v1.GenerationService"


async def serve(replicas: int) -> None:
    """An engine and a server each, on free ports, until SIGTERM; announces their addresses, joined by commas."""
    process, settings = ProcessSettings(), GenerationSettings()
    configure_logging("generation", process.log_level)
    stop, servers = stop_event(), []
    for _ in range(replicas):
        server = Server([_SERVICE])
        generator = build_generator(build_engine(settings), settings)
        server.register(add_GenerationServiceServicer_to_server, GenerationServicer(generator))
        await server.start("127.0.0.1:0")
        server.set_ready()
        servers.append(server)
    announce(process.ready_file, ",".join(server.address for server in servers))
    await stop.wait()
    for server in servers:
        await server.stop(0)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
