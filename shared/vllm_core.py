"""Starts vLLM's AsyncLLM. On GPUs its engine core is a process of its own, on CPUs a thread of this process.

With processes, the engine core spends more than half a CPU core on waiting for its worker, and two more processes
import torch. On a CPU the thread decodes 1.5 times as many tokens a second, and starts in half the time.
"""

import asyncio
import atexit
import logging
import os
import queue
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from shared.process.lifeline import tie_engine_processes, with_cause

log = logging.getLogger(__name__)

# vLLM's own variable. "1" makes vLLM use processes on CPUs too, as its server does.
_PROCESSES = "VLLM_ENABLE_V1_MULTIPROCESSING"


def start_llm(arguments: Any, stat_loggers: list[Any] | None = None) -> Any:
    """Builds an AsyncLLM from `AsyncEngineArgs`, loaded and ready. Call `lifeline.prepare_environment` before it.

    Raises:
        Exception: the first error of vLLM, or of a library that it uses.
    """
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.engine.core import EngineCoreProc

    if current_platform.is_cpu() and arguments.tensor_parallel_size == 1:
        os.environ.setdefault(_PROCESSES, "0")
        if os.environ[_PROCESSES] == "0":
            return _start_in_this_process(arguments, stat_loggers)
    tie_engine_processes(EngineCoreProc)
    with with_cause():
        return AsyncLLM.from_engine_args(arguments, stat_loggers=stat_loggers)


def _start_in_this_process(arguments: Any, stat_loggers: list[Any] | None) -> Any:
    import torch
    from vllm.model_executor.models import registry
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.engine.core_client import EngineCoreClient

    arguments.distributed_executor_backend = "uni"
    # vLLM inspects a new architecture in another process, lest this one touches a GPU. Here there is none.
    registry._run_in_subprocess = lambda fn: fn()
    make_client, set_threads = EngineCoreClient.make_async_mp_client, torch.set_num_threads
    EngineCoreClient.make_async_mp_client = staticmethod(CoreThread)
    try:
        return AsyncLLM.from_engine_args(arguments, stat_loggers=stat_loggers)
    finally:
        EngineCoreClient.make_async_mp_client = make_client
        # The engine disables this function for the whole process.
        torch.set_num_threads = set_threads


class CoreThread:
    """The client that AsyncLLM uses to reach its engine core, for a core that runs on a thread of this process.

    vLLM has such a client for its LLMEngine only, and that one blocks its caller at each step. This one may be built on
    any thread, and is used from one event loop.
    """

    engine_ranks_managed = (0,)

    def __init__(self, vllm_config: Any, executor_class: Any, log_stats: bool, **_: Any) -> None:
        # AsyncLLM reads `resources.engine_dead`.
        self.resources = self
        self.engine_dead = False
        self._calls: queue.SimpleQueue[partial[None] | None] = queue.SimpleQueue()
        self._outputs: asyncio.Queue[Any] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._core: Any = None
        started: Future[Any] = Future()
        # OpenMP keeps its own threads for each thread that computes, so the same thread loads and decodes.
        self._thread = threading.Thread(
            target=self._run, args=(started, vllm_config, executor_class, log_stats), name="vllm-core", daemon=True
        )
        self._thread.start()
        self._core = started.result()
        # A thread that still decodes while Python ends would abort the process.
        atexit.register(self.shutdown)

    async def get_supported_tasks_async(self) -> tuple[Any, ...]:
        return tuple(self._core.get_supported_tasks())

    async def add_request_async(self, request: Any) -> None:
        self._submit(partial(self._add, request))

    async def abort_requests_async(self, request_ids: list[str]) -> None:
        if request_ids and not self.engine_dead:
            # The queue is read at the end of the running step, the call below before the next one.
            self._core.aborts_queue.put_nowait(request_ids)
            self._submit(partial(self._core.abort_requests, request_ids))

    async def get_output_async(self) -> Any:
        """The next step's outputs.

        Raises:
            EngineDeadError: the engine has failed.
        """
        self._loop = asyncio.get_running_loop()
        outputs = await self._outputs.get()
        if isinstance(outputs, Exception):
            raise outputs
        return outputs

    def shutdown(self, timeout: float | None = None) -> None:
        atexit.unregister(self.shutdown)
        self._calls.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _submit(self, call: "partial[None]") -> None:
        from vllm.v1.engine.exceptions import EngineDeadError

        if self.engine_dead:
            raise EngineDeadError
        self._loop = asyncio.get_running_loop()
        self._calls.put(call)

    def _run(self, started: Future[Any], vllm_config: Any, executor_class: Any, log_stats: bool) -> None:
        from vllm.v1.engine.core import EngineCore
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            core = EngineCore(vllm_config, executor_class, log_stats)
        except BaseException as error:  # raised in the thread that waits for it
            started.set_exception(error)
            return
        started.set_result(core)
        try:
            while self._run_calls(core):
                outputs, executed = core.step_fn()
                core.post_step(executed)
                for output in (outputs or {}).values():
                    self._publish(output)
        except Exception as error:
            log.exception("the engine has failed")
            self.engine_dead = True
            dead = EngineDeadError()
            dead.__cause__ = error
            self._publish(dead)
        core.shutdown()

    def _run_calls(self, core: Any) -> bool:
        """Runs the submitted calls, and waits for one where there is nothing to decode. Returns False at the end."""
        while not self._calls.empty() or not (core.scheduler.has_requests() or core.batch_queue):
            call = self._calls.get()
            if call is None:
                return False
            call()
        return True

    def _add(self, request: Any) -> None:
        from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, FinishReason

        try:
            self._core.add_request(*self._core.preprocess_add_request(request))
        except Exception:  # concerns this request alone, such as a grammar that does not compile
            log.exception("a request is refused by the engine")
            error = EngineCoreOutput(request.request_id, [], finish_reason=FinishReason.ERROR)
            self._publish(EngineCoreOutputs(outputs=[error], finished_requests={request.request_id}))

    def _publish(self, outputs: Any) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has ended before this thread
            self._loop.call_soon_threadsafe(self._outputs.put_nowait, outputs)
