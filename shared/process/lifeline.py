"""vLLM's engine process ends with the process that started it, however that one died, and says why it did not start."""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

_LOOK_EVERY_S = 0.5
_CAUSE = "DARWIN_ENGINE_CAUSE"
_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_CONFIGURE_LOGGING": "1",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    # On GPUs it would be compiled at its first use, by a CUDA compiler that need not be there, nor is in the image.
    "VLLM_USE_FLASHINFER_SAMPLER": "0",
}


def prepare_environment(logging: Path) -> None:
    """Sets what vLLM and torch read when they are imported; what the user has set stays. `logging` is the file by which
    each of vLLM's processes configures its log."""
    for name, value in {**_ENVIRONMENT, "VLLM_LOGGING_CONFIG_PATH": str(logging)}.items():
        os.environ.setdefault(name, value)


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
        try:
            self._run(*args, **kwargs)
        except Exception:
            # vLLM has logged it, and raises it for nobody.
            sys.exit(1)

    def __reduce__(self) -> Any:
        return _tied, (self._core,)


def _follow(parent: int | None) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)


class KeepCause(logging.Filter):
    """Keeps the first exception that is logged while an engine starts, in whichever of its processes, and lets it be
    logged in a line instead of a traceback.

    Each of them configures its logging by the file that `VLLM_LOGGING_CONFIG_PATH` names, where this belongs.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and _CAUSE in os.environ:
            why = str(error) or type(error).__name__
            with suppress(OSError), open(os.environ[_CAUSE], "x", encoding="utf-8") as file:
                file.write(why)
            record.msg, record.args, record.exc_info = f"{record.getMessage()} {why}", None, None
        return True


@contextmanager
def with_cause() -> Iterator[None]:
    """Says what went wrong, if an engine does not start within this context: vLLM raises only that it did not.

    Raises:
        RuntimeError: in place of vLLM's, with what `KeepCause` was told of.
    """
    with TemporaryDirectory() as folder:
        cause = Path(folder, "cause")
        os.environ[_CAUSE] = str(cause)
        try:
            yield
        except RuntimeError as error:
            if not cause.exists():
                raise
            raise RuntimeError(cause.read_text(encoding="utf-8")) from error
        finally:
            del os.environ[_CAUSE]
