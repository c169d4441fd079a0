"""`python -m services.reward`"""

from services.reward.bootstrap import build, build_rewarder
from services.reward.settings import RewardSettings
from shared.service import run_service


def main() -> None:
    settings = RewardSettings()
    run_service(build(build_rewarder(settings)), settings.listen)


if __name__ == "__main__":
    main()
