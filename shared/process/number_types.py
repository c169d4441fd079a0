"""The number types that models are served in, and which suits a device."""

import logging
from functools import cache
from typing import Literal

log = logging.getLogger(__name__)

Dtype = Literal["bfloat16", "float16", "float32"]
DtypeSetting = Literal["auto", Dtype]
AUTO_DTYPE = "auto: bfloat16, or float32 on a CPU that does not compute in it"


def suited_to(device: str) -> Dtype:
    """bfloat16; float32 on a CPU without it, where each product would be of numbers converted before: sixteen responses
    at once take three times as long there (measured on an AMD EPYC with AVX2), and weights half the memory.

    `device` is a torch device, such as "cpu" or "cuda:0".
    """
    if device.partition(":")[0] != "cpu" or _cpu_has_bfloat16():
        return "bfloat16"
    return "float32"


@cache
def _cpu_has_bfloat16() -> bool:
    import torch

    # What torch itself asks before it leaves a product in bfloat16 to oneDNN.
    has = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if not has:
        log.warning("this CPU does not compute in bfloat16: models whose number type is auto are served in float32")
    return has
