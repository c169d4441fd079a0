"""`python -m services.reward`"""

from services.reward.bootstrap import build, build_rewarder
from services.reward.settings import RewardSettings
from shared.process.settings import refusing
from shared.rpc.service import run_service
from shared.rpc.tls import Transport


def main() -> None:
    with refusing("reward"):
        settings = RewardSettings()
        run_service(build(build_rewarder(settings)), settings.listen, Transport())


if __name__ == "__main__":
    main()
