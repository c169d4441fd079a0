"""Are answers in the language of the request: `python -m bench.languages [--before CHECKOUT]`.

40 instructions in twelve languages (`languages.jsonl`), each answered once by sample, best-of-n and darwin through the
stack that this checkout starts, and before it through that of another one, such as the last release. Prints how many
answers are in the request's language, in English, and in another or none that can be told; keeps the answers in
bench/out/languages.jsonl.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bench.service import TEMPLATES, stack_of
from cli.stack import Stack, StackSettings
from shared.text.languages import language_of

INSTRUCTIONS = Path(__file__).parent / "languages.jsonl"
OUT = Path(__file__).parent / "out" / "languages.jsonl"
METHODS = ("sample", "best-of-n", "darwin")
KINDS = ("the request's", "English", "another or none")
IN_FLIGHT = 16


def instructions() -> list[tuple[str, str]]:
    """Language and text of each."""
    rows = [json.loads(line) for line in INSTRUCTIONS.read_text().splitlines()]
    return [(row["language"], row["instruction"]) for row in rows]


def answered(url: str, method: str, instruction: str, seed: int, mutants: int, max_tokens: int) -> str:
    """The answer of the stack at `url`: one cycle of so many mutants, or as many samples and one more."""
    search = {} if method == "sample" else {"cycles": 1, "mutants": mutants, "period": max_tokens // 2}
    body = {
        "model": method,
        "messages": [{"role": "user", "content": instruction}],
        "max_tokens": max_tokens,
        "seed": seed,
        "darwin": search,
    }
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=1800, trust_env=False)
    answer.raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])


def kind(text: str, language: str) -> str:
    """What an answer to a request in `language` counts as."""
    found = language_of(text)
    return KINDS[0] if found == language else KINDS[1] if found == "en" else KINDS[2]


def measure(where: str, url: str, mutants: int, max_tokens: int, table: Table) -> None:
    """Adds a row for each method to `table`, and the answers to the file."""
    asked = instructions()
    for method in METHODS:
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            jobs = [
                pool.submit(answered, url, method, text, seed, mutants, max_tokens)
                for seed, (_, text) in enumerate(asked)
            ]
            texts = [job.result() for job in jobs]
        kinds = Counter(kind(text, language) for text, (language, _) in zip(texts, asked, strict=True))
        table.add_row(where, method, str(len(asked)), *(str(kinds[name]) for name in KINDS))
        with OUT.open("a") as stream:
            for text, (language, instruction) in zip(texts, asked, strict=True):
                row = {"where": where, "method": method, "language": language, "instruction": instruction, "text": text}
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")


@contextmanager
def own_stack(engine: str) -> Iterator[str]:
    with Stack(StackSettings(engine=engine, env=TEMPLATES)) as stack:
        yield stack.url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout, whose stack is measured first")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--mutants", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=48)
    arguments = parser.parse_args()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("")
    table = Table("", "method", "answers", "in the request's language", "in English", "in another or none")
    if arguments.before is not None:
        with stack_of(arguments.before, arguments.engine) as before:
            measure("before", before.url, arguments.mutants, arguments.max_tokens, table)
        Console(width=120).print(table)
    with own_stack(arguments.engine) as url:
        measure("now", url, arguments.mutants, arguments.max_tokens, table)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
