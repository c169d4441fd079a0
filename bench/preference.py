"""Does a preference in words steer: `python -m bench.preference [--prompt …] [--prefer …]`, through a stack of its own.

Each prompt is asked with each preference, once for each seed, as `make demo` asks it: by the profile that is made of
the preference, and by the same one without its wishes, so that selection alone steers. Prints for each prompt and
preference how much of it the base response holds, the answer that selection alone found, and the evolved one: of a rule
whether it is held, of a criterion how likely the judge finds it; and the differences, with 95% bootstrap intervals over
prompts and seeds. Rows are kept in bench/out/preference.jsonl, texts included.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.service import TEMPLATES
from cli.client import Client
from cli.evaluation.report.statistics import Bootstrap
from cli.preference import Preferred, preferred
from cli.stack import Stack, StackSettings

OUT = Path(__file__).parent / "out" / "preference.jsonl"
PROMPT = "Why do we sleep?"
PREFER = "at most two sentences, plain words"
MAX_TOKENS = 160
ARMS = ("base", "selection alone", "evolved")
LOADING_S = 300.0


@dataclass(frozen=True)
class PreferenceRow:
    """One answer of one search: how much each part of the preference is held, 0 to 1."""

    prompt: str
    preference: str
    seed: int
    arm: str
    held: dict[str, float]
    tokens: int
    text: str

    @property
    def share(self) -> float:
        return sum(self.held.values()) / len(self.held)


@dataclass(frozen=True)
class Trial:
    """A search that is to be made, by a profile that has been pushed."""

    prompt: str
    preference: str
    made: Preferred
    seed: int
    profile: str
    arms: tuple[str, ...]


def held_by(choice: dict[str, Any], parts: Sequence[str]) -> dict[str, float]:
    """How much a response holds each part of a profile's reward: rules hold or do not, criteria by their judge."""
    given = {part: choice["components"].get(part, 0.0) for part in parts}
    return {part: value if part.startswith("rubric.") else float(value == 1) for part, value in given.items()}


def ended(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    """The result of an evolution, which is started now."""
    started = client.start(body)
    for _ in client.events(started["id"]):
        pass
    found = client.get(started["id"])
    if found["status"] != "succeeded":
        raise RuntimeError(f"{found['status']}: {found['error']}")
    result: dict[str, Any] = found["result"]
    return result


def pushed(client: Client, name: str, content: str) -> str:
    """The version of a profile that has this content, loaded."""
    body = {"content": content, "promote": True, "reason": "measured"}
    found = client.call("PUT", f"/v1/profiles/{name}", body, LOADING_S)
    return f"{found['name']}@{found['promoted']}"


def untold(content: str) -> str:
    """A profile without its wishes."""
    profile = yaml.safe_load(content)
    del profile["wishes"]
    return str(yaml.safe_dump(profile, sort_keys=False, allow_unicode=True))


def trials(client: Client, prompts: Sequence[str], preferences: Sequence[str], seeds: int) -> Iterator[Trial]:
    for number, preference in enumerate(preferences):
        made = preferred(preference)
        told = pushed(client, f"told-{number}", made.content)
        alone = pushed(client, f"alone-{number}", untold(made.content))
        for prompt in prompts:
            for seed in range(seeds):
                yield Trial(prompt, preference, made, seed, told, ("base", "evolved"))
                yield Trial(prompt, preference, made, seed, alone, ("selection alone",))


def rows_of(client: Client, trial: Trial) -> list[PreferenceRow]:
    body = {
        "model": "darwin",
        "messages": [{"role": "user", "content": trial.prompt}],
        "max_tokens": MAX_TOKENS,
        "seed": trial.seed,
        "darwin": {"profile": trial.profile},
    }
    result = ended(client, body)
    made = []
    for arm in trial.arms:
        choice = result["base"] if arm == "base" else result["choices"][0]
        held = held_by(choice, list(trial.made.wishes))
        tokens = result["base"]["completion_tokens"] if arm == "base" else result["tokens"]["generated"]
        made.append(PreferenceRow(trial.prompt, trial.preference, trial.seed, arm, held, tokens, choice["text"]))
    return made


def shares(rows: Sequence[PreferenceRow], arm: str) -> dict[tuple[str, int], float]:
    return {(row.prompt, row.seed): row.share for row in rows if row.arm == arm}


def report(rows: Sequence[PreferenceRow], names: dict[str, str], title: str) -> Table:
    """Of one preference: what each arm holds, and the difference of the evolved answer's share from the others'."""
    table = Table("", *ARMS, title=title)
    for part, wish in names.items():
        means = [np.mean([row.held[part] for row in rows if row.arm == arm]) for arm in ARMS]
        table.add_row(wish, *(f"{mean:.0%}" for mean in means))
    by_arm = {arm: shares(rows, arm) for arm in ARMS}
    table.add_row("all of it", *(f"{np.mean([share == 1 for share in by_arm[arm].values()]):.0%}" for arm in ARMS))
    table.add_row("part of it", *(f"{np.mean(list(by_arm[arm].values())):.0%}" for arm in ARMS))
    evolved, differences, better = by_arm["evolved"], ["evolved less"], ["evolved holds more / less in"]
    for arm in ARMS[:-1]:
        gains = np.array([evolved[key] - value for key, value in by_arm[arm].items()])
        found = Bootstrap().mean(gains)
        assert found is not None
        between = "" if found.low is None or found.high is None else f" [{found.low:+.0%}, {found.high:+.0%}]"
        differences.append(f"{found.value:+.0%}{between}")
        better.append(f"{(gains > 0).sum()} / {(gains < 0).sum()} of {len(gains)}")
    table.add_row(*differences, "")
    table.add_row(*better, "")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompt", action="append", help="again for others")
    parser.add_argument("--prefer", action="append", help="again for others")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--engine", default="auto", help="as `darwin up --engine`")
    parser.add_argument("--in-flight", type=int, default=4)
    options = parser.parse_args()
    prompts, preferences = options.prompt or [PROMPT], options.prefer or [PREFER]
    rows: list[PreferenceRow] = []
    console = Console()
    OUT.parent.mkdir(exist_ok=True)
    with (
        Stack(StackSettings(engine=options.engine, env=TEMPLATES)) as stack,
        Client(stack.url) as client,
        OUT.open("a") as kept,
        ThreadPoolExecutor(options.in_flight) as pool,
    ):
        todo = list(trials(client, prompts, preferences, options.seeds))
        for found in track(pool.map(lambda trial: rows_of(client, trial), todo), "searching", total=len(todo)):
            rows += found
            kept.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in found)
            kept.flush()
    for preference in preferences:
        names = preferred(preference).wishes
        for prompt in prompts:
            mine = [row for row in rows if (row.preference, row.prompt) == (preference, prompt)]
            console.print(report(mine, names, f"{prompt} ({options.seeds} seeds)"))
        if len(prompts) > 1:
            mine = [row for row in rows if row.preference == preference]
            console.print(report(mine, names, f"{preference}: {len(prompts)} prompts x {options.seeds} seeds"))


if __name__ == "__main__":
    main()
