"""Profiles that are pushed to a stack that runs: `python -m bench.pushing`.

The stack has two gateways, two reward replicas and real models. First a classifier is loaded in a process of its own:
so long does that take where nothing else happens. Then versions of a profile are pushed and promoted, some that need
only models that are loaded already, and `--loads` that need a checkpoint that is not: how long is it from the push
until each gateway takes requests under the version and each replica scores by it at once? The bar is 10 s beyond the
load alone. Memory for models holds four of the classifiers, so that earlier ones are unloaded.

Meanwhile other tenants ask at a steady rate through both gateways under the embedded profile, and each replica is asked
to score two responses under it twice a second: p50 and p95 of both before, during and after the loads, as ratios, with
95% bootstrap intervals over loads. Prints tables, writes bench/out/pushing.json; about six minutes.
"""

import argparse
import asyncio
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.pushing.classifier import Alone, copies, load_alone, with_classifier, without_models
from bench.pushing.figures import AFTER_S, PHASES, Figure, figures
from bench.pushing.operating import Operator, Pushed
from bench.pushing.traffic import Traffic
from bench.service import TEMPLATES
from cli.stack import Stack, StackSettings
from shared.store.api_keys import ApiKeys, new_key

OUT = Path(__file__).parents[1] / "out" / "pushing.json"
LIVE_BAR_S = 10.0
LOADED, CLASSIFIER = "models that are loaded", "a classifier"
_NAME, _TENANTS = "pushed", ("acme", "globex")
_REPLICAS = _GATEWAYS = 2
# Promoted ones and those of the last minute are in use, and are not unloaded.
_HELD = 4.5


async def make_keys(redis_url: str) -> tuple[str, list[str]]:
    """The operator's key, and one for each other tenant."""
    store = ApiKeys(redis_url)
    try:
        texts = []
        for tenant, manages in (("operator", True), *((tenant, False) for tenant in _TENANTS)):
            text, key = new_key(tenant, manages_profiles=manages)
            await store.add(key)
            texts.append(text)
    finally:
        await store.close()
    return texts[0], texts[1:]


async def measured(
    stack: Stack, checkpoints: Sequence[Path], every_s: float, rate: float, tokens: int, console: Console
) -> tuple[list[Pushed], Traffic, float]:
    """Every push, the others' traffic, and when that began to count."""
    key, tenants = await make_keys(stack.redis_url)
    replicas = [address for name, address in stack.addresses.items() if name.startswith("reward")]
    traffic = Traffic(stack.urls, tenants, replicas, rate, tokens)
    contents = [(CLASSIFIER, with_classifier(checkpoint)) for checkpoint in checkpoints]
    # A push without a load before every third with one.
    plan = [
        entry
        for number, content in enumerate(contents)
        for entry in ([(LOADED, without_models(1 + number / 100))] if number % 3 == 0 else []) + [content]
    ]
    pushes = list[Pushed]()
    async with Operator(stack.urls, key, replicas) as operator, traffic.running():
        with console.status("warming up") as status:
            await asyncio.sleep(every_s / 2)
            began = time.time()
            for number, (needs, content) in enumerate(plan, 1):
                await asyncio.sleep(every_s - AFTER_S if needs == CLASSIFIER else 0)
                status.update(f"push {number} of {len(plan)}, {len(traffic.samples)} calls of others answered")
                pushes.append(await operator.push(_NAME, content, needs))
                console.log(f"{pushes[-1].reference}, {needs}: in effect after {pushes[-1].live_s:.1f} s")
                await asyncio.sleep(AFTER_S)
                stack.check()
    return pushes, traffic, began


def unloads(folder: Path) -> int:
    """How many scorers the replicas have unloaded."""
    return sum(len(re.findall(r"unloading \{", log.read_text())) for log in folder.glob("reward*.log"))


def live_table(pushes: Sequence[Pushed], alone: Alone) -> tuple[Table, float]:
    """Of pushes by what they need; and the most that one has taken beyond its load alone."""
    table = Table("needs", "pushes", "load alone", "push answered", "promotion answered", "in effect, median", "worst")
    table.add_column("beyond the load, worst")
    rows = [(LOADED, [each for each in pushes if each.needs == LOADED], 0.0)]
    first, *later = [each for each in pushes if each.needs == CLASSIFIER]
    rows += [(f"{CLASSIFIER}, the first", [first], alone.first_s), (f"{CLASSIFIER}, later", later, alone.later_s)]
    beyond = 0.0
    for name, mine, load_s in rows:
        if not mine:
            continue
        worst = max(each.live_s for each in mine)
        beyond = max(beyond, worst - load_s)
        medians = [median(values) for values in zip(*((e.pushed_s, e.promoted_s, e.live_s) for e in mine), strict=True)]
        seconds = [load_s, *medians, worst, worst - load_s]
        table.add_row(name, str(len(mine)), *(f"{each:.2f} s" for each in seconds))
    return table, beyond


def figures_table(found: Sequence[Figure], title: str) -> Table:
    table = Table("calls", "quantile", *(f"{phase} (calls)" for phase in PHASES), "during / before", "after / before")
    table.title = title
    for each in found:
        ratios = [f"{value:.2f} [{low:.2f}, {high:.2f}]" for value, low, high in each.ratio.values()]
        seconds = [f"{1000 * each.seconds[phase]:.0f} ms ({each.calls[phase]})" for phase in PHASES]
        table.add_row(each.kind, f"p{100 * each.quantile:.0f}", *seconds, *ratios)
    return table


def run(options: argparse.Namespace, console: Console) -> tuple[Alone, list[Pushed], Traffic, float, int]:
    """The load alone, every push, the others' traffic, when that began to count, and how many models were unloaded."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        with console.status("loading the classifier alone") as status:
            checkpoints = copies(Path(folder), options.loads, options.model)
            alone = load_alone(checkpoints[:4])
            most = alone.lasting_bytes + int(_HELD * median(alone.bytes[1:]))
            env = {**TEMPLATES, "DARWIN_GATEWAY_KEYS": "required", "DARWIN_REWARD_MODEL_BYTES": str(most)}
            settings = StackSettings(options.engine, gateways=_GATEWAYS, replicas={"reward": _REPLICAS}, env=env)
            status.update("starting the stack")
            stack = running.enter_context(Stack(settings))
        every_s, rate, tokens = options.every, options.rate, options.max_tokens
        pushes, traffic, began = asyncio.run(measured(stack, checkpoints, every_s, rate, tokens, console))
        return alone, pushes, traffic, began, unloads(stack.folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="auto", help="as `darwin up --engine`")
    parser.add_argument("--model", type=Path, help="a classifier's folder; one is made where it is left out")
    parser.add_argument("--loads", type=int, default=12)
    parser.add_argument("--every", type=float, default=18.0, help="seconds between two loads, about")
    parser.add_argument("--rate", type=float, default=1.0, help="searches a second of the other tenants")
    parser.add_argument("--max-tokens", type=int, default=16, help="of their answers")
    options = parser.parse_args()
    console = Console(width=150)
    alone, pushes, traffic, began, unloaded = run(options, console)
    table, beyond = live_table(pushes, alone)
    table.caption = f"{unloaded} models were unloaded; {sum(each.refused for each in pushes)} pushes refused before"
    console.print(table)
    loads = [each for each in pushes if each.needs == CLASSIFIER]
    found = {
        title: figures(traffic.samples, some, began)
        for title, some in (("all loads", loads), ("all but the first", loads[1:]))
    }
    for title, rows in found.items():
        console.print(figures_table(rows, title))
    met = "[green]met[/]" if beyond <= LIVE_BAR_S else "[red]missed[/]"
    console.print(f"in effect everywhere at most {beyond:.1f} s beyond the load; bar {LIVE_BAR_S:.0f} s: {met}")
    OUT.parent.mkdir(exist_ok=True)
    written = {
        "options": {name: str(value) for name, value in vars(options).items()},
        "cores": os.cpu_count(),
        "alone": asdict(alone),
        "unloaded": unloaded,
        "beyond_s": beyond,
        "began": began,
        "pushes": [asdict(each) for each in pushes],
        "figures": {title: [asdict(row) for row in rows] for title, rows in found.items()},
        "samples": [asdict(sample) for sample in traffic.samples],
    }
    OUT.write_text(json.dumps(written, indent=1))
    console.print(f"written to {OUT}")


if __name__ == "__main__":
    main()
