"""Under which names texts are embedded, and which settings say by what."""

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from services.gateway.api.model_names import embedding_model_named, model_named
from services.gateway.config.settings import ENCODER, GatewaySettings
from services.gateway.edge.errors import EmbeddingsNotConfigured, ModelNotFound
from services.gateway.evolutions.backends import Backends
from shared.methods import METHODS
from shared.process.settings import SettingsError
from shared.text.embedded_models import EMBEDDED_ENCODER
from tests.unit.gateway.apps import BODY, URL, shaped
from tests.unit.gateway.embedding_apps import App

NAMED = GatewaySettings(
    mutation="127.0.0.1:1",
    embeddings_names="text-embedding-3-small, team/vectors",  # type: ignore[arg-type]
)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (ENCODER, ENCODER),
        (f"openai/{ENCODER}", ENCODER),
        ("text-embedding-3-small", "text-embedding-3-small"),
        ("x/team/vectors", "team/vectors"),
    ],
)
def test_a_name_of_the_model_that_embeds(name: str, known: str) -> None:
    assert embedding_model_named(name, NAMED) == known
    with pytest.raises(ModelNotFound):
        model_named(name, NAMED)


@pytest.mark.parametrize("name", ["gpt-4o-mini", "darwin", "openai/sample", "vectors"])
def test_other_names_do_not_embed(name: str) -> None:
    with pytest.raises(ModelNotFound, match=f"does not embed: choose {ENCODER} or text-embedding-3-small"):
        embedding_model_named(name, NAMED)


def test_under_a_default_model_every_unknown_name_embeds() -> None:
    settings = GatewaySettings(mutation="127.0.0.1:1", default_model="darwin")
    assert embedding_model_named("text-embedding-ada-002", settings) == ENCODER
    for name in ("darwin", "openai/sample"):
        with pytest.raises(ModelNotFound):
            embedding_model_named(name, settings)
    with pytest.raises(ModelNotFound, match="embeds, at /v1/embeddings, and answers nothing"):
        model_named(ENCODER, settings)
    assert model_named("gpt-4o-mini", settings).method == "darwin"
    with pytest.raises(EmbeddingsNotConfigured):
        embedding_model_named(ENCODER, GatewaySettings(default_model="darwin"))


async def test_a_name_that_is_not_known_is_told() -> None:
    app = App(default_model="darwin", embeddings_names=("vectors",))
    for name in ("gpt-4o-mini", "openai/x"):
        body = (await app.post(model=name)).json()
        assert body["model"] == ENCODER
        assert body["darwin"]["warnings"] == [f"model '{name}' is not known: {ENCODER} embeds"]
    for name in ("vectors", "openai/vectors", f"openai/{ENCODER}"):
        assert "darwin" not in (await app.post(model=name)).json()


async def test_models_lists_what_embeds() -> None:
    app = App(embeddings_names=("team/vectors",))
    listed = (await app.get("/v1/models")).json()["data"]
    assert [each["id"] for each in listed] == [*METHODS, ENCODER, "team/vectors"]
    assert [each["method"] for each in listed[-2:]] == [None, None]
    assert (await app.get("/v1/models/team/vectors")).json() == listed[-1]
    assert (await app.get(f"/v1/models/openai/{ENCODER}")).json() == listed[-2]
    assert (await app.get("/v1/models/darwin")).json()["method"] == "darwin"
    assert (await App(mutation="").get(f"/v1/models/{ENCODER}")).status_code == 404
    chat = App()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=chat.app), base_url="http://localhost") as http:
        refused = await http.post("/v1/chat/completions", json=BODY | {"model": ENCODER})
    assert "/v1/embeddings" in shaped(refused, 404, "model", "model_not_found")


async def test_the_cost_is_told_where_there_is_a_price() -> None:
    assert (await App(price_embedding=2.0).post()).json()["usage"]["cost"] == 3 * 2.0 / 1e6
    assert "cost" not in (await App(price_prompt=2.0).post()).json()["usage"]


def test_the_encoders_name_is_the_mutation_services() -> None:
    assert ENCODER == EMBEDDED_ENCODER


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"embeddings_url": "http://127.0.0.1:1/v1"}, "needs embeddings_model"),
        ({"embeddings_url": "ftp://x", "embeddings_model": "m"}, "must be http:// or https://"),
        ({"embeddings_url": "http://me:secret@x/v1", "embeddings_model": "m"}, "EMBEDDINGS_KEY is for the key"),
        ({"embeddings_key": "two words"}, "printable ASCII"),
        ({"embeddings_model": "darwin"}, "answers chats"),
        ({"embeddings_names": ("sample",)}, "answers chats"),
        ({"embeddings_names": ("fast",), "models": {"fast": {"method": "sample"}}}, "answers chats"),
        ({"embeddings_names": ("x" * 257,)}, "1 to 256 printable"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        GatewaySettings(**fields)
    assert "secret" not in str(refused.value)


async def test_an_endpoint_goes_before_the_encoder_and_stays_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DARWIN_ALLOW_PLAINTEXT", raising=False)
    fields: Any = {"redis_url": URL, "mutation": "127.0.0.1:1", "embeddings_model": "m", "embeddings_key": "sk-1"}
    settings = GatewaySettings(**fields, embeddings_url="https://example.org/v1")
    assert settings.embedding_names == ("m",)
    assert "sk-1" not in repr(settings)
    backends = Backends.of(settings)
    assert type(backends.embedder).__name__ == "EndpointClient"
    await backends.close()
    with pytest.raises(SettingsError, match="plain text"):
        Backends.of(GatewaySettings(**fields, embeddings_url="http://example.org/v1"))
    with pytest.raises(SettingsError):
        Backends.of(GatewaySettings(redis_url=URL, mutation="nowhere"))
