"""Which reward service a deployment's settings name; gRPC is imported only where there is one."""

from services.gateway.config.settings import GatewaySettings
from services.gateway.profiles.models import RewardModels


def reward_of(settings: GatewaySettings) -> RewardModels | None:
    """None where no profile is managed.

    Raises:
        SettingsError: the address cannot be used.
    """
    if not settings.reward:
        return None
    from services.gateway.profiles.reward import RewardClient

    return RewardClient(settings.reward, settings.max_wait_s)
