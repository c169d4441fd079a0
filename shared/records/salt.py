"""The salt by which engines keep the cached work of tenants apart."""

from hashlib import blake2b

from shared.records.evolution import EvolutionRequest


def cache_salt(request: EvolutionRequest) -> str:
    """A digest of the tenant's name, in 32 hex digits; empty where there are no tenants."""
    return blake2b(request.tenant.encode(), digest_size=16).hexdigest() if request.tenant else ""
