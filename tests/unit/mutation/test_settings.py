import pytest
from pydantic import ValidationError

from services.mutation.operators import OPERATORS
from services.mutation.settings import AUTO_SHARE, THRESHOLD, MutationSettings


def test_defaults() -> None:
    settings = MutationSettings()
    assert settings.listen == "127.0.0.1:50052"
    assert settings.generation == "127.0.0.1:50051"
    assert settings.threshold == THRESHOLD
    assert settings.operators == ()
    assert settings.auto_share == AUTO_SHARE == 0.7
    assert settings.encoder == "all-minilm-l6-v2"


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARWIN_MUTATION_OPERATORS", "rephrase, simplify")
    monkeypatch.setenv("DARWIN_MUTATION_MAX_TOKENS", "256")
    settings = MutationSettings()
    assert settings.operators == ("rephrase", "simplify")
    assert settings.max_tokens == 256


def test_every_operator_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARWIN_MUTATION_OPERATORS", ",".join(OPERATORS))
    assert MutationSettings().operators == tuple(OPERATORS)


@pytest.mark.parametrize(
    ("name", "value"),
    [("OPERATORS", "shout"), ("THRESHOLD", "1.5"), ("TEMPERATURE", "-1"), ("MAX_TOKENS", "1"), ("AUTO_SHARE", "2")],
)
def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"DARWIN_MUTATION_{name}", value)
    with pytest.raises(ValidationError):
        MutationSettings()
