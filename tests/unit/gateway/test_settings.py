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


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        ("https://a.example", ("https://a.example",)),
        ("https://a.example, http://localhost:3000 ,", ("https://a.example", "http://localhost:3000")),
        ('["https://a.example", "tauri://localhost"]', ("https://a.example", "tauri://localhost")),
        ("http://[::1]:80", ("http://[::1]:80",)),
    ],
)
def test_origins_are_a_list_in_either_form(
    monkeypatch: pytest.MonkeyPatch, value: str, origins: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DARWIN_GATEWAY_CORS_ORIGINS", value)
    assert GatewaySettings().cors_origins == origins


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("chat.example.org", "entry 1 is no origin"),
        ("https://a.example,https://b.example/", "entry 2 is no origin"),
        ("https://a.example/path", "without a path"),
        ("https://A.example", "in lower case"),
        ("https://user:secret@a.example", "is no origin"),
        ("null", "is no origin"),
        ("https://*.example", "is no origin"),
        ('["https://a.example"', "a list in JSON"),
        ("[1]", "valid string"),
        ("*,https://a.example", "no other beside it"),
        ("*", "DARWIN_GATEWAY_KEYS=required"),
    ],
)
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, value: str, reason: str) -> None:
    monkeypatch.setenv("DARWIN_GATEWAY_CORS_ORIGINS", value)
    with pytest.raises(ValidationError, match=reason) as caught:
        GatewaySettings()
    assert "secret" not in str(caught.value)


def test_every_origin_may_call_where_keys_are_required() -> None:
    assert GatewaySettings(keys="required", cors_origins=("*",)).cors_origins == ("*",)


@pytest.mark.parametrize("price", ["-1", "nan", "inf", "much"])
def test_a_price_is_an_amount(monkeypatch: pytest.MonkeyPatch, price: str) -> None:
    monkeypatch.setenv("DARWIN_GATEWAY_PRICE_REWARD", price)
    with pytest.raises(ValidationError, match="price_reward"):
        GatewaySettings()
