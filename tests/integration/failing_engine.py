"""The generation service, whose vLLM fails at its twentieth step, as of a kernel that does not compute."""

from typing import Any

from services.generation.__main__ import main
from shared.vllm_core import CoreThread

STEPS = 20


class FailingCore(CoreThread):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        step, left = self._core.step_fn, iter(range(STEPS))

        def failing() -> Any:
            if next(left, None) is None:
                raise RuntimeError("a kernel has failed")
            return step()

        self._core.step_fn = failing


if __name__ == "__main__":
    import shared.vllm_core

    shared.vllm_core.CoreThread = FailingCore  # type: ignore[misc]
    main()
