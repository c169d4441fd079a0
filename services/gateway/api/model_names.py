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

    Client programs put a provider before a model's name (`openai/darwin`), so a name that is not known is looked up
    without what stands before its first slash, then its second, and so on. What then is still unknown is the
    deployment's default model.

    Raises:
        ModelNotFound: there is none.
    """
    known = known_models(settings)
    parts = name.split("/")
    for begin in range(len(parts)):
        if entry := known.get("/".join(parts[begin:])):
            return entry
    if settings.default_model:
        return known[settings.default_model]
    raise ModelNotFound(f"The model '{name}' does not exist: choose one of {', '.join(known)}", field="model")
