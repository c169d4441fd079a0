"""What every scorer of the process shares: device, number type, threads, memory for caches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

ScorerDtype = Literal["bfloat16", "float16", "float32"]


@dataclass(frozen=True)
class Runtime:
    """`threads` bounds the CPU cores one scorer uses at a time; `cache_bytes` the keys and values one scorer keeps.

    `plaintext` says whether conversations may leave this machine without TLS.
    """

    device: str = "cpu"
    dtype: ScorerDtype = "bfloat16"
    threads: int = 1
    cache_bytes: int = 512 * 1024**2
    plaintext: bool = False


def configure_torch(runtime: Runtime, dtype: ScorerDtype | None = None) -> "torch.dtype":
    """Sets the calling thread's thread count, silences loading reports; returns `dtype`, else the runtime's."""
    import torch

    torch.set_num_threads(runtime.threads)
    quiet_transformers()
    number_type = getattr(torch, dtype or runtime.dtype)
    assert isinstance(number_type, torch.dtype)
    return number_type


def quiet_transformers() -> None:
    """Silences its reports and progress bars: what matters of them is refused or logged by ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
