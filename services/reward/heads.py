"""A classifier's head computes in float32, whatever the number type of its trunk.

In bfloat16 rewards between 16 and 32 lie 0.125 apart, so that different texts tie.
"""

from collections.abc import Iterable
from typing import Any

import torch


def compute_in_float32(model: Any, head: Iterable[str]) -> None:
    """Converts the named modules and parameters of a model, and what goes into the modules when it computes."""
    for name in head:
        part = model.get_parameter(name) if name in dict(model.named_parameters(recurse=False)) else None
        if part is not None:
            part.data = part.data.float()
            continue
        module = model.get_submodule(name)
        module.float()
        module.register_forward_pre_hook(_upcast, with_kwargs=True)


def _upcast(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return tuple(map(_float, args)), {name: _float(value) for name, value in kwargs.items()}


def _float(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
