"""vLLM's engine process ends with the process that started it, however that one died."""

import os
import threading
import time
from multiprocessing import parent_process
from typing import Any

import psutil

_LOOK_EVERY_S = 0.5


def tie_engine_processes(core: Any) -> None:
    """Engine processes started from now on follow this one; call it before an AsyncLLM is built.

    `core` is `vllm.v1.engine.core.EngineCoreProc`, whose `run_engine_core` is what such a process runs. They are
    spawned: a process whose gRPC server runs, as ours does by then, must not fork, which is vLLM's habit on GPUs.
    """
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
    core.run_engine_core = _tied(core)


def _tied(core: Any) -> "_Tied":
    run = core.run_engine_core
    return run if isinstance(run, _Tied) else _Tied(core, run)


class _Tied:
    """Stands in the place of vLLM's function, which it keeps: a forked process finds this one by that name.

    A spawned process gets no function of its own by pickle, only the class, in which it finds vLLM's.
    """

    def __init__(self, core: Any, run: Any) -> None:
        self._core = core
        self._run = run

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        parent = parent_process()
        assert parent is not None
        threading.Thread(target=_follow, args=(parent.pid,), name="follow-parent", daemon=True).start()
        self._run(*args, **kwargs)

    def __reduce__(self) -> Any:
        return _tied, (self._core,)


def _follow(parent: int | None) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)
