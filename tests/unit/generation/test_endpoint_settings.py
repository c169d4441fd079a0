"""Which settings of an endpoint are taken: its URL, its key, its fields."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.generation.endpoint.url import check_private, url_problem
from services.generation.settings import GenerationSettings
from shared.process.settings import SettingsError

KEY = "sk-very-secret"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://host/v1",
        "http://",
        "http://host:port/v1",
        "http://me:secret@host/v1",
        "https://:secret@host/v1",
        "http://host/v1?key=secret",
        "http://host/v1#secret",
    ],
)
def test_a_url_that_is_no_endpoint_is_refused_without_showing_it(url: str) -> None:
    assert url_problem(url)
    with pytest.raises(ValidationError) as refused:
        GenerationSettings(engine="openai", endpoint=url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "https://host/v1/", "http://[::1]:8000/v1"])
def test_a_url_of_an_endpoint(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"endpoint": ""}, "needs DARWIN_GENERATION_ENDPOINT"),
        ({"endpoint_key": "two words"}, "printable ASCII"),
        ({"endpoint_key": "line\nbreak"}, "printable ASCII"),
        ({"endpoint_fields": "top_k, temprature"}, "endpoint_fields takes top_k, "),
        ({"endpoint_tokens": "exact"}, "endpoint_tokens"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, str], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem) as refused:
        GenerationSettings(engine="openai", **{"endpoint": "http://127.0.0.1:1/v1"} | settings)  # type: ignore[arg-type]
    assert "words" not in str(refused.value)


def test_the_key_comes_from_a_secret_file_and_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "darwin_generation_endpoint_key").write_text(f"{KEY}\n")
    monkeypatch.setenv("DARWIN_SECRETS_DIR", str(tmp_path))
    settings = GenerationSettings()
    assert settings.endpoint_key is not None
    assert settings.endpoint_key.get_secret_value() == KEY
    assert KEY not in repr(settings)
    assert KEY not in settings.model_dump_json()


def test_prompts_leave_this_machine_in_plain_text_only_where_that_is_allowed() -> None:
    with pytest.raises(SettingsError, match="DARWIN_ALLOW_PLAINTEXT"):
        check_private("http://vllm:8000/v1", plaintext_allowed=False)
    for url in ("http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:8000/v1", "https://vllm/v1"):
        check_private(url, plaintext_allowed=False)
    check_private("http://vllm:8000/v1", plaintext_allowed=True)
