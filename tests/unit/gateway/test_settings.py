import re

import pytest
from pydantic import ValidationError

from services.gateway.config.model_entry import ModelEntry
from services.gateway.config.settings import GatewaySettings
from shared.process.settings import reasons
from shared.records.search import Search


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


def models(text: str) -> dict[str, ModelEntry]:
    return GatewaySettings(models=text).models


def test_model_names_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    given = '{"gpt-4o": {"method": "best-of-n", "settings": {"mutants": 3}, "description": "Four samples."}, "a/b": {}}'
    monkeypatch.setenv("DARWIN_GATEWAY_MODELS", given)
    monkeypatch.setenv("DARWIN_GATEWAY_DEFAULT_MODEL", "a/b")
    found = GatewaySettings().models
    assert (found["gpt-4o"].method, found["gpt-4o"].search) == ("best-of-n", Search(mutants=3))
    assert (found["a/b"].method, found["a/b"].search) == ("darwin", Search())
    monkeypatch.setenv("DARWIN_GATEWAY_MODELS", "")
    monkeypatch.setenv("DARWIN_GATEWAY_DEFAULT_MODEL", "")
    assert GatewaySettings().models == {}


def test_an_entry_has_the_settings_of_its_preset_and_method() -> None:
    found = models('{"a": {"preset": "paper", "settings": {"period": 7}}, "b": {"method": "sample"}}')
    assert found["a"].search == Search(period=7, survivors=3, mutation="model")
    assert found["b"].search.cycles == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "models: it must be a JSON object"),
        ("[]", "models: "),
        ('{"gpt-4o": 1}', "models.gpt-4o: "),
        ('{"gpt-4o": {"method": "annealing"}}', r"models.gpt-4o.method: .*'best-of-n'"),
        ('{"gpt-4o": {"preset": "best"}}', "models.gpt-4o.preset: "),
        ('{"gpt-4o": {"profile": "a b"}}', "models.gpt-4o.profile: "),
        ('{"gpt-4o": {"cycles": 2}}', "models.gpt-4o.cycles: Extra inputs"),
        ('{"gpt-4o": {"settings": {"island": 2}}}', "models.gpt-4o.settings.island: Extra inputs"),
        ('{"gpt-4o": {"settings": {"mutants": "3"}}}', "models.gpt-4o.settings.mutants: .*integer"),
        ('{"gpt-4o": {"settings": {"mutants": 99}}}', "models.gpt-4o.settings.mutants: .*32"),
        ('{"gpt-4o": {"settings": {"survivors": 5}}}', r"models.gpt-4o: settings.survivors \(5\) must be less"),
        ('{"gpt-4o": {"method": "sample", "settings": {"cycles": 1}}}', "models.gpt-4o: sample has no cycles"),
        ('{"best-of-n": {}}', "models: best-of-n is a method's own name"),
        ('{"": {}}', "models: a name is 1 to 256"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_by_name_and_field(text: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        models(text)
    assert re.match(reason, reasons(caught.value)[0])


def test_the_default_model_is_one_that_is_known() -> None:
    with pytest.raises(ValidationError, match="default_model must be one of darwin, best-of-n"):
        GatewaySettings(default_model="gpt-4o")


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


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"identity_header": "x-user"}, "belong together"),
        ({"trusted_proxies": "10.0.0.0/8"}, "belong together"),
        ({"identity_key": "0123456789ab"}, "needs identity_header"),
        ({"identity_header": "x-user", "trusted_proxies": "10.0.0.1", "keys": "off"}, "DARWIN_GATEWAY_KEYS=required"),
        ({"identity_header": "Authorization", "trusted_proxies": "10.0.0.1"}, "another meaning"),
        ({"identity_header": "x user", "trusted_proxies": "10.0.0.1"}, "identity_header"),
        ({"identity_header": "x-user", "trusted_proxies": "10.0.0.1/8"}, "entry 1 is no network"),
        ({"identity_header": "x-user", "trusted_proxies": "10.0.0.1,proxy"}, "entry 2 is no network"),
        ({"identity_header": "x-user", "trusted_proxies": "0.0.0.0/0"}, "every address"),
        ({"identity_header": "x-user", "trusted_proxies": '["::/0"]'}, "every address"),
        ({"identity_header": "x-user", "trusted_proxies": "10.0.0.1", "identity_key": "dk_1"}, "identity_key"),
    ],
)
def test_identities_that_make_no_sense_are_refused(fields: dict[str, str], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        GatewaySettings(**{"keys": "required"} | fields)  # type: ignore[arg-type]


def test_trusted_proxies_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARWIN_GATEWAY_KEYS", "required")
    monkeypatch.setenv("DARWIN_GATEWAY_IDENTITY_HEADER", "x-forwarded-user")
    for text in ("10.0.0.0/8, fd00::1", '["10.0.0.0/8", "fd00::1"]'):
        monkeypatch.setenv("DARWIN_GATEWAY_TRUSTED_PROXIES", text)
        assert GatewaySettings().trusted_proxies == ("10.0.0.0/8", "fd00::1")


@pytest.mark.parametrize("prices", ["[", "[]", '{"": -1}', '{"": NaN}', '{"": 1001}', '{"a b": 1}', '{"a": null}'])
def test_token_prices_that_are_none_are_refused(prices: str) -> None:
    with pytest.raises(ValidationError, match="token_prices"):
        GatewaySettings(token_prices=prices)


def test_token_prices_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARWIN_GATEWAY_TOKEN_PRICES", '{"": 0.2, "brief": 1}')
    assert GatewaySettings().token_prices == {"": 0.2, "brief": 1}
