"""vLLM's engine process ends with the process that started it, however that one died."""

import os
import threading
import time
from typing import Any

import psutil

_LOOK_EVERY_S = 0.5


def tie_engine_processes() -> None:
    """Engine processes started from now on follow this one; call it before an AsyncLLM is built."""
    from vllm.v1.engine.core import EngineCoreProc

    EngineCoreProc.run_engine_core = staticmethod(run_engine_core)


def run_engine_core(*args: Any, **kwargs: Any) -> None:
    """What the engine process runs in place of vLLM's function of the same name."""
    threading.Thread(target=_follow, args=(os.getppid(),), name="follow-parent", daemon=True).start()
    from vllm.v1.engine.core import EngineCoreProc

    EngineCoreProc.run_engine_core(*args, **kwargs)


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)
