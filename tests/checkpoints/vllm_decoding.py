"""Decodes greedily in vLLM, one checkpoint after another in one process.

usage: python -m tests.checkpoints.vllm_decoding FILE

The file maps names to {"folder", "prompts"}, prompts being lists of ids; a line of JSON comes back for each name. The
arguments are the engine's own, but for the process that it would start for each.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from services.generation.settings import GenerationSettings
from services.generation.vllm_engine import engine_arguments

TOKENS = 8


def decode(folder: str, prompts: list[list[int]]) -> list[list[int]]:
    settings = GenerationSettings(model=folder, kv_cache_gib=0.05, max_running=4)
    arguments = engine_arguments(settings, folder, context=1024, dtype="float32")
    from vllm import SamplingParams
    from vllm.v1.engine.llm_engine import LLMEngine

    engine = LLMEngine.from_engine_args(arguments)
    sampling = SamplingParams(temperature=0, max_tokens=TOKENS, detokenize=False, ignore_eos=True)
    for number, prompt in enumerate(prompts):
        engine.add_request(str(number), {"prompt_token_ids": prompt}, sampling)
    decoded: dict[str, Any] = {}
    while engine.has_unfinished_requests():
        decoded |= {output.request_id: list(output.outputs[0].token_ids) for output in engine.step() if output.finished}
    engine.engine_core.shutdown()
    return [decoded[str(number)] for number in range(len(prompts))]


def in_this_process() -> None:
    """vLLM starts a process for its engine, and one to look at each architecture that it has not seen before."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    from vllm.model_executor.models import registry

    registry._run_in_subprocess = lambda look: look()


def main() -> None:
    in_this_process()
    for name, asked in json.loads(Path(sys.argv[1]).read_text()).items():
        since = time.perf_counter()
        try:
            said: dict[str, Any] = {"decoded": decode(asked["folder"], asked["prompts"])}
        except Exception:
            said = {"error": traceback.format_exc()}
        print(json.dumps({"name": name, **said, "seconds": time.perf_counter() - since, "cpu": time.process_time()}), flush=True)


if __name__ == "__main__":
    main()
