import pytest
from pydantic import ValidationError

from services.gateway.settings import GatewaySettings


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:8080", "[::1]:8080", "127.9.9.9:1"])
def test_loopback_needs_no_keys(listen: str) -> None:
    assert GatewaySettings(listen=listen).port == int(listen.rpartition(":")[2])


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "example.org:80"])
def test_other_addresses_need_keys(listen: str) -> None:
    with pytest.raises(ValidationError, match="DARWIN_GATEWAY_KEYS=required"):
        GatewaySettings(listen=listen)
    assert GatewaySettings(listen=listen, keys="required").host == listen.rpartition(":")[0].strip("[]")


@pytest.mark.parametrize("listen", ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999"])
def test_malformed_addresses_are_refused(listen: str) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(listen=listen)


def test_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARWIN_REDIS_URL", "redis://elsewhere:1/2")
    monkeypatch.setenv("DARWIN_RECORD_TTL_S", "77")
    monkeypatch.setenv("DARWIN_GATEWAY_MAX_WAIT_S", "1.5")
    settings = GatewaySettings()
    assert (settings.redis_url, settings.record_ttl_s, settings.max_wait_s) == ("redis://elsewhere:1/2", 77, 1.5)


def test_default_tokens_must_fit() -> None:
    with pytest.raises(ValidationError, match="default_max_tokens"):
        GatewaySettings(default_max_tokens=10, max_max_tokens=9)


@pytest.mark.parametrize("url", ["javascript:alert(1)//{trace_id}", "http://traces.example/", "traces/{trace_id}"])
def test_a_trace_url_is_a_web_address_that_names_the_trace(url: str) -> None:
    with pytest.raises(ValidationError, match="trace_id"):
        GatewaySettings(trace_url=url)
