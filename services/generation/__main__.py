"""The generation service's process."""

from services.generation.bootstrap import build_service
from services.generation.settings import GenerationSettings
from shared.service import run_service


def main() -> None:
    settings = GenerationSettings()
    run_service(build_service(settings), settings.listen)


if __name__ == "__main__":
    main()
