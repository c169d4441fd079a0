"""Which lines make answers hold the form asked for: `python -m bench.format_lines`, where `lines.NEUTRAL` comes from.

Each English line is put behind each prompt of `bench.formats`, whatever that demands, and answered without a
search, `--samples` times, on the default engine in this process. Prints how many answers hold their form, by kind.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from rich.console import Console
from rich.table import Table

from bench.format_checks import CHECKS
from bench.formats import MAX_TOKENS, FormatPrompt, prompts
from services.generation.bootstrap import build_engine, build_generator
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence
from services.generation.settings import GenerationSettings
from services.mutation.neutral_lines import NEUTRAL
from shared.records.evolution import Message

LEFT_OUT = {"follow_form": "Read the request carefully and follow its format exactly."}
LINES = {"none": "", **dict(NEUTRAL["en"]), **LEFT_OUT}
_AT_ONCE = 120


def _asked(prompt: FormatPrompt, line: str) -> tuple[Message, ...]:
    *before, last = prompt.messages
    return (*before, Message("user", f"{last.content}\n\n{line}" if line else last.content))


async def _answers(samples: int) -> AsyncIterator[tuple[FormatPrompt, str, str]]:
    """(prompt, name of the line, answer), in any order."""
    settings = GenerationSettings()
    engine = build_engine(settings)
    await engine.start()
    generator = build_generator(engine, settings)
    asked = [(prompt, name) for _ in range(samples) for prompt in prompts() for name in LINES]
    try:
        for start in range(0, len(asked), _AT_ONCE):
            part = asked[start : start + _AT_ONCE]
            sequences = tuple(
                Sequence(str(index), _asked(prompt, LINES[name]), max_new_tokens=MAX_TOKENS)
                for index, (prompt, name) in enumerate(part)
            )
            async for results in generator.generate(
                GenerateRequest(sequences, SamplingOptions(temperature=0.7, top_k=40))
            ):
                for result in results:
                    yield *part[int(result.id)], result.text
            print(f"{start + len(part)} of {len(asked)}", flush=True)
    finally:
        await engine.stop()


async def _run(samples: int) -> Table:
    held: Counter[tuple[str, str]] = Counter()
    async for prompt, name, text in _answers(samples):
        for kind in (prompt.kind, "all"):
            held[kind, name] += prompt.held(text)
    shown = Table("kind", *LINES, title=f"answers that hold their form, of {6 * samples} by kind")
    for kind in (*CHECKS, "all"):
        shown.add_row(kind, *(str(held[kind, name]) for name in LINES))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=6, help="of each prompt with each line")
    Console(width=140).print(asyncio.run(_run(parser.parse_args().samples)))


if __name__ == "__main__":
    main()
