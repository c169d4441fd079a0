"""Where webhooks may be sent."""

import httpx
import pytest

from services.gateway.config.settings import GatewaySettings
from services.gateway.webhooks.addresses import ForbiddenAddress, addresses_of, checked_url, may_be_sent_to
from shared.errors import InvalidRequest


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert may_be_sent_to(address, ())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "fc00::1",
        "fe80::1",
        "fe80::1%1",
        "ff02::1",
        "fec0::1",
        "::7f00:1",
        "64:ff9b:1::1",
        "4000::1",
        "2001:db8::1",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
    ],
)
def test_addresses_that_are_refused(address: str) -> None:
    assert not may_be_sent_to(address, ())


def test_networks_of_the_deployment() -> None:
    assert may_be_sent_to("10.1.2.3", ("10.1.0.0/16",))
    assert not may_be_sent_to("10.2.2.3", ("10.1.0.0/16",))


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://example.org/", "https://", "https://u:p@e.org/", "https://e.org/#a", "x"],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked_url(url, GatewaySettings())
    assert refused.value.field == "url"


def test_plain_http_where_it_is_allowed() -> None:
    assert checked_url("http://example.org/", GatewaySettings(webhook_http=True)).host == "example.org"


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://[::1]:8443/", "https://2130706433/", "https://0x7f.1/"])
async def test_a_host_that_leads_to_this_machine(url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        await addresses_of(httpx.URL(url), GatewaySettings())
