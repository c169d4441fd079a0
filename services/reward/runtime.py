"""What every scorer of the process shares: device, number type, threads, memory for caches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.process.number_types import Dtype, DtypeSetting, suited_to

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Runtime:
    """`threads` bounds the CPU cores one scorer uses at a time; `cache_bytes` the keys and values one scorer keeps.

    `plaintext` says whether conversations may leave this machine without TLS. `generation` is the address of the
    generation service, whose language model judges where a component asks for that.
    """

    device: str = "cpu"
    dtype: DtypeSetting = "auto"
    threads: int = 1
    cache_bytes: int = 512 * 1024**2
    plaintext: bool = False
    generation: str = "127.0.0.1:50051"

    def number_type(self, own: Dtype | None, device: str | None = None) -> Dtype:
        """That of a scorer which asks for `own`, or for none, on a device of its own or on this one."""
        if own is not None:
            return own
        return suited_to(device or self.device) if self.dtype == "auto" else self.dtype


def configure_torch(runtime: Runtime, own: Dtype | None = None, device: str | None = None) -> "torch.dtype":
    """Sets the calling thread's thread count, silences loading reports; returns `runtime.number_type`."""
    import torch

    torch.set_num_threads(runtime.threads)
    quiet_transformers()
    number_type = getattr(torch, runtime.number_type(own, device))
    assert isinstance(number_type, torch.dtype)
    return number_type


def quiet_transformers() -> None:
    """Silences its reports and progress bars: what matters of them is refused or logged by ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
