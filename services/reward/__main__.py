"""The reward service's process: `python -m services.reward`."""

from services.reward.bootstrap import build_rewarder, build_service
from services.reward.settings import RewardSettings
from shared.process.settings import refusing
from shared.rpc.service import run_service
from shared.rpc.tls import Transport


def main() -> None:
    with refusing("reward"):
        settings = RewardSettings()
        run_service(build_service(build_rewarder(settings)), settings.listen, Transport())


if __name__ == "__main__":
    main()
