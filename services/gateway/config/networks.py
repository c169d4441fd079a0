"""Networks, as a setting names them."""

import ipaddress
import json
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.strip().startswith("["):
        return tuple(network.strip() for network in value.split(",") if network.strip())
    try:
        return tuple(json.loads(value))
    except json.JSONDecodeError:
        raise ValueError('it must be networks separated by commas, or a list in JSON: ["10.0.0.0/8"]') from None


def _check(networks: tuple[str, ...]) -> tuple[str, ...]:
    for number, network in enumerate(networks, 1):
        try:
            parsed = ipaddress.ip_network(network)
        except ValueError:
            raise ValueError(f"entry {number} is no network: write 10.0.0.0/8, fd00::/8 or an address") from None
        if parsed.prefixlen == 0:
            raise ValueError(f"entry {number} holds every address: name the network that is meant")
    return networks


Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check)]
"""Networks (CIDR) or addresses separated by commas, or a list of them in JSON."""


def within(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address lies in one of the networks; a text that is no address does not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in ipaddress.ip_network(network) for network in networks)
