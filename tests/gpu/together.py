"""Generation (vLLM) and reward (a classifier by transformers, and by vLLM) in bfloat16 as two processes on one card."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import AutoModelForSequenceClassification

from cli.stack.child import Child
from shared.pb import generation_pb2 as gpb
from shared.pb import reward_pb2 as rpb
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.pb.reward_pb2_grpc import RewardServiceStub
from shared.records.evolution import Message
from shared.rpc.channel import connect
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.tokenizers import load_tokenizer
from tests.integration.processes import serving, start, until
from tests.unit.reward.checkpoints import save_classifier

START_S = 150.0
DEVICE = "cuda"
TASKS = ("Describe a river.", "Why is the sky blue?", "Explain tests to a colleague.", "Name three colours.")
PROFILE = """
description: One classifier, by transformers and by vLLM.
components:
  - {{name: torch, type: classifier, weight: 1.0, model: {model}, device: "cuda:0", max_tokens: 512}}
  - name: vllm
    type: vllm
    weight: 1.0
    model: {model}
    device: "cuda:0"
    max_tokens: 512
    gpu_memory_utilization: 0.2
"""


def run(folder: str, ends_at: float) -> None:
    """Raises AssertionError where something is not as it should be."""
    asyncio.run(_run(Path(folder), ends_at))


async def _run(folder: Path, ends_at: float) -> None:
    model = save_classifier(folder / "classifier")
    (folder / "gpu.yaml").write_text(PROFILE.format(model=model))
    free = torch.cuda.mem_get_info()[0]
    generation = start(
        "generation",
        folder,
        {
            "DARWIN_GENERATION_ENGINE": "vllm",
            "DARWIN_GENERATION_GPU_MEMORY_UTILIZATION": "0.4",
            "DARWIN_LOG_LEVEL": "INFO",
        },
    )
    children = [generation]
    try:
        async with connect(generation.address(60)) as channel:
            await _ready("generation", channel, generation)
            environment = {
                "DARWIN_REWARD_PROFILES_DIR": str(folder),
                "DARWIN_REWARD_PROFILES": "gpu",
                "DARWIN_REWARD_DEVICE": "cuda:0",
                "DARWIN_REWARD_MAX_BATCH": "64",
            }
            children.append(reward := start("reward", folder, environment))
            async with connect(reward.address(60)) as other:
                await _ready("reward", other, reward)
                generator, scorer = GenerationServiceStub(channel), RewardServiceStub(other)
                texts = await _generates(generator)
                await _scores(scorer, texts, model)
                await asyncio.gather(_many(generator, 100), _rewards(scorer, texts))
        await _dies_with_its_parent(generation, free)
    except BaseException:
        for child in children:
            print(child.log.read_text()[-3000:], flush=True)
        raise
    finally:
        for child in children:
            child.terminate()
            child.wait(30)


async def _ready(name: str, channel: Any, child: Child) -> None:
    began = time.monotonic()
    waiting = asyncio.ensure_future(serving(channel, START_S))
    while not waiting.done():
        child.check()
        await asyncio.wait({waiting}, timeout=1)
    await waiting
    print(f"        {name} is ready after {time.monotonic() - began:.0f} s", flush=True)


async def _generated(generator: Any, sequences: list[Any], temperature: float = 1.0, **sampling: Any) -> dict[str, Any]:
    request = gpb.GenerateRequest(
        sequences=sequences, sampling=gpb.GenerateRequest.Sampling(temperature=temperature, top_p=1.0, **sampling)
    )
    return {result.id: result async for answer in generator.Generate(request) for result in answer.results}


def _sequence(name: str, task: str, length: int, **more: Any) -> Any:
    messages = [gpb.GenerateRequest.Message(role="user", content=task)]
    return gpb.GenerateRequest.Sequence(id=name, messages=messages, max_new_tokens=length, **more)


async def _many(generator: Any, length: int) -> list[str]:
    began = time.monotonic()
    asked = [_sequence(str(i), TASKS[i % len(TASKS)], length) for i in range(64)]
    results = (await _generated(generator, asked, top_k=40)).values()
    tokens = sum(result.usage.generated_tokens for result in results)
    assert len(results) == 64
    print(f"        64 sequences, {tokens} tokens in {time.monotonic() - began:.1f} s", flush=True)
    return [result.text for result in results]


async def _generates(generator: Any) -> list[str]:
    first, again, other = [
        (await _generated(generator, [_sequence("s", TASKS[0], 40, seed=seed)], top_k=40))["s"] for seed in (7, 7, 8)
    ]
    assert list(first.token_ids) == list(again.token_ids) != list(other.token_ids), "seeds"
    more = (await _generated(generator, [_sequence("s", TASKS[0], 8, response_token_ids=first.token_ids)], 0.0))["s"]
    assert more.usage.cached_tokens > 0, "the prefix was not found again"
    assert more.text.startswith(first.text), "a continuation does not begin with what it continues"
    whole = (await _generated(generator, [_sequence("s", TASKS[0], 40)], 0.0))["s"].text
    stop = whole[20:25]
    stopped = (await _generated(generator, [_sequence("s", TASKS[0], 40)], 0.0, stop=[stop]))["s"]
    assert stopped.finish_reason == gpb.FINISH_REASON_STOP, "stop string"
    assert stopped.text == whole[: whole.index(stop)], "stop string"
    return await _many(generator, 100)


async def _rewards(scorer: Any, texts: list[str]) -> list[tuple[float, float]]:
    message = rpb.ScoreRequest.Message(role="user", content=TASKS[0])
    candidates = [rpb.ScoreRequest.Candidate(id=str(i), text=text) for i, text in enumerate(texts)]
    answer = await scorer.Score(rpb.ScoreRequest(messages=[message], candidates=candidates))
    by_name = [{part.name: part.value for part in score.components} for score in answer.scores]
    return [(parts["torch"], parts["vllm"]) for parts in by_name]


async def _scores(scorer: Any, texts: list[str], model: Path) -> None:
    found = await _rewards(scorer, texts)
    exact = _reference(model, texts)
    for kind, values in zip(("classifier", "vllm"), zip(*found, strict=True), strict=True):
        assert len(set(values)) > 0.9 * len(set(texts)), f"{kind}: rewards are rounded to the same values"
        assert (r := _correlation(list(values), exact)) > 0.97, f"{kind}: r = {r:.3f} to float32"


def _reference(folder: Path, texts: list[str]) -> list[float]:
    """The head on the last token in float32, each text alone."""
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).to(DEVICE)
    chat = ChatTokenizer(load_tokenizer(str(folder)))
    rewards = []
    with torch.inference_mode():
        for text in texts:
            ids = chat.encode_chat((Message("user", TASKS[0]), Message("assistant", text)), answered=True)
            hidden = model.model(torch.tensor([ids], device=DEVICE)).last_hidden_state
            rewards.append(float(model.score(hidden[0, -1])))
    return rewards


def _correlation(a: list[float], b: list[float]) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    product = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    return product / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


async def _dies_with_its_parent(generation: Child, free: int) -> None:
    """The engine's process and its memory of the card go when the service is killed."""
    engines = psutil.Process(generation.pid).children(recursive=True)
    assert engines, "vLLM runs no process of its own"
    taken = free - torch.cuda.mem_get_info()[0]
    os.kill(generation.pid, signal.SIGKILL)
    await until(lambda: all(map(_ended, engines)), 20)
    await until(lambda: free - torch.cuda.mem_get_info()[0] < 0.7 * taken, 20)


def _ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
