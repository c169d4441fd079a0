"""vLLM's own HTTP server, with its engine on a thread, which starts in a third of the time.

usage: python -m tests.vllm_api [the arguments of vllm.entrypoints.openai.api_server]
"""

import os
import runpy
import sys
from typing import Any

from shared.vllm_core import CoreThread

os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"


class ServedCore(CoreThread):
    """With what the server asks for besides."""

    async def reset_mm_cache_async(self) -> None: ...

    def get_kv_event_sources(self) -> dict[int, Any]:
        return {}


if __name__ == "__main__":
    from vllm.v1.engine.core_client import EngineCoreClient

    EngineCoreClient.make_async_mp_client = staticmethod(ServedCore)  # type: ignore[method-assign]
    sys.argv += ["--distributed-executor-backend", "uni"]
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__")
