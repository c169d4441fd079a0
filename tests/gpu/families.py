"""Tiny checkpoints of every family by the transformers engine on CUDA: load, and continue in pieces as at once."""

import asyncio
import time
from pathlib import Path

from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.settings import GenerationSettings
from services.generation.transformers_engine import TransformersEngine
from shared.records.evolution import Message
from tests.checkpoints.models import FAMILIES, build

ASKED = (Message("user", "Name a fruit."),)
SPARE_S = 150.0
"""Left for what comes after."""


def run(folder: str, ends_at: float) -> None:
    """Raises AssertionError that names each family that failed."""
    failed, tried = [], 0
    for name, family in FAMILIES.items():
        if time.monotonic() > ends_at - SPARE_S:
            break
        place, tried = Path(folder, name.replace(" ", "-")), tried + 1
        try:
            build(family, place)
            asyncio.run(_check(place))
        except Exception as error:
            failed.append(f"{name}: {type(error).__name__}: {error}")
    print(f"        {tried} of {len(FAMILIES)} families tried", flush=True)
    assert not failed, "; ".join(failed)


async def _check(folder: Path) -> None:
    for dtype in ("float32", "bfloat16"):
        engine = TransformersEngine(GenerationSettings(model=str(folder), dtype=dtype))
        await engine.start()
        prompt = engine.encode_chat(ASKED)
        whole = (await engine.complete(TokenSequence(prompt, 12, SamplingOptions(), None))).token_ids
        assert whole, f"{dtype}: no tokens"
        if dtype == "float32":
            half = (await engine.complete(TokenSequence(prompt, 6, SamplingOptions(), None))).token_ids
            rest = (await engine.complete(TokenSequence(prompt + half, 6, SamplingOptions(), None))).token_ids
            assert len(whole) < 6 or half + rest == whole, "pieces differ from the whole"
        await engine.stop()
