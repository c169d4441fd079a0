"""Ties vLLM's engine processes to the process that started them: they end with it, and say why they did not start."""

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

_POLL_S = 0.5
_CAUSE = "DARWIN_ENGINE_CAUSE"
_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_CONFIGURE_LOGGING": "1",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    # On GPUs the sampler is compiled at its first use, by a CUDA compiler, which the image does not have.
    "VLLM_USE_FLASHINFER_SAMPLER": "0",
}


def prepare_environment(logging: Path) -> None:
    """Sets the variables that vLLM and torch read when they are imported. Variables that are set already stay.

    `logging` is the file by which each of vLLM's processes configures its log.
    """
    for name, value in {**_ENVIRONMENT, "VLLM_LOGGING_CONFIG_PATH": str(logging)}.items():
        os.environ.setdefault(name, value)


def tie_engine_processes(core: Any) -> None:
    """Makes engine processes that are started from now on end with this process. Call it before building an AsyncLLM.

    `core` is `vllm.v1.engine.core.EngineCoreProc`; an engine process runs its `run_engine_core`. Engine processes are
    spawned from now on. vLLM would fork them on GPUs, which a process must not do once its gRPC server runs.
    """
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
    core.run_engine_core = _tied(core)


def _tied(core: Any) -> "_Tied":
    run = core.run_engine_core
    return run if isinstance(run, _Tied) else _Tied(core, run)


class _Tied:
    """Replaces vLLM's function, and calls it. A forked process finds this object under the name of that function.

    A spawned process gets this object by pickle, which carries only the class `core`. In that process it finds vLLM's
    function and replaces it again.
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
            # vLLM has logged it; nothing catches it further up.
            sys.exit(1)

    def __reduce__(self) -> Any:
        return _tied, (self._core,)


def _follow(parent: int | None) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)


class KeepCause(logging.Filter):
    """Writes down the first exception that any process of an engine logs while the engine starts, for `with_cause`.

    It is then logged in one line, without a traceback. The file that `VLLM_LOGGING_CONFIG_PATH` names applies this
    filter in each of the processes.
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
    """Makes the error of an engine that does not start inside say why, which vLLM's own error does not.

    Raises:
        RuntimeError: in place of vLLM's, with the exception that `KeepCause` has written down.
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
