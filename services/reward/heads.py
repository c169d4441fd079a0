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


def head_names(model: Any) -> tuple[str, ...]:
    """The modules and parameters that follow the trunk; where the trunk has no name, the last linear layer."""
    trunk = model.base_model
    if trunk is not model:
        direct = (name for name, _ in model.named_parameters(recurse=False))
        return (*(name for name, child in model.named_children() if child is not trunk and _weighs(child)), *direct)
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    return tuple(linear[-1:])


def _weighs(module: Any) -> bool:
    return next(module.parameters(), None) is not None
