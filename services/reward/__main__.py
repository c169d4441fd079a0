"""`python -m services.reward`"""

import multiprocessing
import os

from services.reward.bootstrap import build, build_rewarder
from services.reward.settings import RewardSettings
from shared.service import run_service


def main() -> None:
    settings = RewardSettings()
    rewarder = build_rewarder(settings)
    run_service(build(rewarder), settings.listen)
    if rewarder.loading:
        _abandon_loading()


def _abandon_loading() -> None:
    """Ends at once: a model that loads on another thread cannot be interrupted, and an ordinary exit waits for it."""
    for child in multiprocessing.active_children():
        child.terminate()
    os._exit(0)


if __name__ == "__main__":
    main()
