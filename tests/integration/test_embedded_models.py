import json
import shutil
from pathlib import Path

import pytest

from services.generation import embedded
from services.generation.embedded import prepare
from shared.errors import NotFound
from shared.text.embedded_models import EMBEDDED_LLM, resolve


def test_the_embedded_model_is_prepared_from_its_wheel_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twenty seconds of conversion were the installation's: here its result is copied."""
    converted = resolve(EMBEDDED_LLM)
    monkeypatch.setattr(
        embedded, "_convert", lambda _, target, __: shutil.copytree(converted, target, dirs_exist_ok=True)
    )
    monkeypatch.setenv("DARWIN_CACHE_DIR", str(tmp_path))
    with pytest.raises(NotFound, match="darwin models"):
        resolve(EMBEDDED_LLM)
    told: list[str] = []
    folder = prepare(told.append)
    assert resolve(EMBEDDED_LLM) == str(folder)
    assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 30
    assert (folder / "chat_template.jinja").exists() or "chat_template" in (
        folder / "tokenizer_config.json"
    ).read_text()
    assert len(told) == 1
    prepare(told.append)
    assert len(told) == 2
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [EMBEDDED_LLM]
