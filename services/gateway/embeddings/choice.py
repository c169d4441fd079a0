"""Which embedder a deployment's settings name. What each needs is imported only where it is the one: gRPC, or httpx."""

from services.gateway.config.settings import GatewaySettings
from services.gateway.embeddings.embedder import Embedder


def embedder_of(settings: GatewaySettings) -> Embedder | None:
    """The endpoint, where one is set; else the mutation service's encoder; None where neither is.

    Raises:
        SettingsError: an address cannot be used.
    """
    if settings.embeddings_url:
        from services.gateway.embeddings.endpoint import EndpointClient

        key = settings.embeddings_key.get_secret_value() if settings.embeddings_key else None
        return EndpointClient(settings.embeddings_url, key, settings.embedding_names[0], settings.max_concurrent)
    if settings.mutation:
        from services.gateway.embeddings.encoder import EncoderClient

        return EncoderClient(settings.mutation, settings.embedding_names[0])
    return None
