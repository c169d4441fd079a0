"""How calls are spread over three generation replicas: `python -m bench.balancing`.

The same evolutions under four ways to choose a replica: how much of what the engines were given was in their prefix
caches, and tokens a second. Then one replica drains, joins and dies under load. Then what balancing costs a call.
Prints tables, writes bench/out/balancing.json and, with --plot, a picture. Rewards and mutants are simulated.
"""

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.balancing import events, overhead, plot, policies
from bench.balancing.workload import DocumentShape
from cli.stack import Stack, StackSettings

OUT = Path(__file__).parents[1] / "out" / "balancing.json"
REPLICAS = {"generation": 3}


def settings(engine: str, kv_cache_gib: float) -> StackSettings:
    """Everything but generation is simulated; a simulated engine has a latency and a prefix cache of its own."""
    env = {
        "DARWIN_GENERATION_KV_CACHE_GIB": str(kv_cache_gib),
        "DARWIN_GENERATION_SIMULATED_LATENCY": "cpu",
        "DARWIN_GENERATION_SIMULATED_CACHE_BLOCKS": "800",
    }
    simulated = StackSettings.simulated(env, replicas=REPLICAS)
    return StackSettings(engine=engine, env=simulated.env, replicas=REPLICAS, start_timeout_s=600)


async def run(arguments: argparse.Namespace, console: Console) -> None:
    shape = DocumentShape(arguments.document_words, arguments.max_tokens, arguments.period)
    with console.status("starting the stack"), Stack(settings(arguments.engine, arguments.kv_cache_gib)) as stack:
        console.log("the stack is up")
        tallies = await policies.compare(
            stack,
            arguments.policy or policies.POLICIES,
            shape,
            arguments.concurrent,
            arguments.evolutions,
            arguments.repeats,
            console,
        )
        played, timeline = await events.play(stack, shape, arguments.concurrent, console)
    costs, (direct_us, balanced_us) = overhead.choices(), await overhead.calls()
    if arguments.repeats:
        console.print(policies.table(tallies))
    console.print(events.table(played), overhead.table(costs, direct_us, balanced_us))
    if arguments.plot:
        plot.draw(timeline, arguments.plot)
    results = {
        "arguments": {name: str(value) for name, value in vars(arguments).items()},
        "policies": {name: [asdict(tally) for tally in each] for name, each in tallies.items()},
        "events": [asdict(event) for event in played],
        "timeline": asdict(timeline),
        "choices": [asdict(cost) for cost in costs],
        "call_us": {"direct": direct_us, "balanced": balanced_us},
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2))
    console.print(f"written to {OUT}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="auto", help="as DARWIN_GENERATION_ENGINE")
    parser.add_argument("--policy", action="append", choices=policies.POLICIES, help="only these; may be repeated")
    parser.add_argument("--concurrent", type=int, default=18, help="evolutions at a time")
    parser.add_argument("--evolutions", type=int, default=36, help="in each measurement of a policy")
    parser.add_argument("--repeats", type=int, default=2, help="measurements of each policy; 0: none")
    parser.add_argument("--document-words", type=int, default=300)
    parser.add_argument("--max-tokens", type=int, default=80)
    parser.add_argument("--period", type=int, default=20)
    parser.add_argument("--kv-cache-gib", type=float, default=0.25, help="of each replica")
    parser.add_argument("--plot", type=Path, help="where to draw sequences in flight over time")
    asyncio.run(run(parser.parse_args(), Console()))
