"""What a model's name stands for: a method and settings of the search, or the model that embeds."""

from services.gateway.config.model_entry import ModelEntry
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import EmbeddingsNotConfigured, ModelNotFound
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
    if name in settings.embedding_names:
        raise ModelNotFound(
            f"The model '{name}' embeds, at /v1/embeddings, and answers nothing: choose one of {', '.join(known)}",
            field="model",
        )
    raise ModelNotFound(f"The model '{name}' does not exist: choose one of {', '.join(known)}", field="model")


def embedding_model_named(name: str, settings: GatewaySettings) -> str:
    """The known name of the model that embeds which a request's `model` stands for.

    Raises:
        EmbeddingsNotConfigured: nothing embeds here.
        ModelNotFound: the name stands for nothing, or for what answers chats.
    """
    own = settings.embedding_names
    if not own:
        raise EmbeddingsNotConfigured(
            "this deployment has no model that embeds: set DARWIN_GATEWAY_MUTATION to the address of its mutation "
            "service, whose encoder then answers, or DARWIN_GATEWAY_EMBEDDINGS_URL and DARWIN_GATEWAY_EMBEDDINGS_MODEL "
            "to an endpoint like OpenAI's"
        )
    if meant := settings.known_embedding_name(name):
        return meant
    raise ModelNotFound(f"The model '{name}' does not embed: choose {' or '.join(own)}", field="model")
