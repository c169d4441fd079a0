"""Whose cached work a call may share."""

from hashlib import blake2b

from shared.records.evolution import EvolutionRequest


def cache_salt(request: EvolutionRequest) -> str:
    """One per tenant, without saying which; empty where there are no tenants."""
    return blake2b(request.tenant.encode(), digest_size=16).hexdigest() if request.tenant else ""
