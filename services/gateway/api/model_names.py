"""Which method and settings a model's name stands for."""

from services.gateway.config.model_entry import ModelEntry
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import ModelNotFound
from shared.methods import METHODS

_METHODS = {name: ModelEntry(method=name, description=traits.text) for name, traits in METHODS.items()}


def known_models(settings: GatewaySettings) -> dict[str, ModelEntry]:
    """Every name that is known: the methods' own, then those of the deployment."""
    return _METHODS | settings.models


def model_named(name: str, settings: GatewaySettings) -> ModelEntry:
    """What a name stands for.

    Raises:
        ModelNotFound: it stands for nothing.
    """
    known, meant = known_models(settings), settings.known_name(name)
    if meant is not None:
        return known[meant]
    raise ModelNotFound(f"The model '{name}' does not exist: choose one of {', '.join(known)}", field="model")
