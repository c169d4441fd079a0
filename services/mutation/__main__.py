"""The mutation service's process: `python -m services.mutation`."""

from services.mutation.bootstrap import build_service
from services.mutation.settings import MutationSettings
from shared.process.settings import refusing
from shared.rpc.service import run_service
from shared.rpc.tls import Transport


def main() -> None:
    with refusing("mutation"):
        settings, transport = MutationSettings(), Transport()
        run_service(build_service(settings, transport), settings.listen, transport)


if __name__ == "__main__":
    main()
