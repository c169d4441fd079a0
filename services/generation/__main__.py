"""The generation service's process."""

from services.generation.bootstrap import build_service
from services.generation.settings import GenerationSettings
from shared.process.settings import refusing
from shared.rpc.service import run_service
from shared.rpc.tls import Transport


def main() -> None:
    with refusing("generation"):
        settings = GenerationSettings()
        run_service(build_service(settings), settings.listen, Transport())


if __name__ == "__main__":
    main()
