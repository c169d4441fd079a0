"""What people see in the terminal: processes starting, the evolution round by round, the two answers side by side."""

from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_STYLES = {"ready": "green", "stopped": "dim"}


def processes(states: dict[str, str]) -> Table:
    """One line per process."""
    table = Table.grid(padding=(0, 2))
    for name, doing in states.items():
        style = _STYLES.get(doing, "yellow")
        table.add_row(Text("●", style=style), Text(name), Text(doing, style=style))
    return table


class EvolutionView:
    """Prints an evolution's events as they come."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, event: dict[str, Any]) -> None:
        """Prints one event of `GET /v1/evolutions/{id}/events`; unknown types are passed over."""
        match event["type"]:
            case "cycle.started":
                self._console.rule(f"cycle {event['cycle']}", align="left", style="cyan")
                self._print_line("parent", event["parent"])
            case "mutant.accepted":
                origin = event["operator"] if event["source"] != "parent" else "the parent itself"
                self._print_line(f"mutant {event['state']}", event["text"], origin)
            case "wishes.withheld":
                self._console.print(_withheld(event["wishes"]))
            case "base.scored":
                reward = f"reward {event['reward']:+.3f}, {event['tokens']} tokens"
                self._print_line("base", event["text"], reward)
            case "round.finished":
                self._console.print(round_table(event))
            case "cycle.finished":
                archive = ", ".join(f"{_short(e['instruction'], 40)} ({e['reward']:+.3f})" for e in event["archive"])
                self._print_line("archive", archive)
                self._console.print(f"  best so far [bold]{event['best_reward']:+.3f}[/]")
                if event.get("outlook"):
                    self._console.print(f"  {outlook(**event['outlook'])}", highlight=False)

    def _print_line(self, label: str, text: str, note: str = "") -> None:
        line = Text(f"  {label}: ", style="bold")
        if note:
            line.append(f"[{note}] ", style="magenta")
        line.append(_short(text, 500), style="default not bold")
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)


def outlook(gain: float, tokens: float, price: float) -> str:
    """What a further cycle promises, and what follows from that."""
    decision = "goes on" if gain >= price else "stops: the gain is unlikely"
    return f"a further cycle: gain {gain:+.3f} expected, price {price:.3f} for {tokens:.0f} tokens; {decision}"


def round_table(event: dict[str, Any]) -> Table:
    """Rewards, fates and response tails of one round."""
    table = Table(
        title=f"cycle {event['cycle']}, round {event['round']}: {event['tokens']} tokens",
        title_justify="left",
        title_style="bold",
        expand=True,
    )
    table.add_column("state", justify="right")
    table.add_column("reward", justify="right")
    table.add_column("fate", no_wrap=True)
    table.add_column("response so far", ratio=1, no_wrap=True, overflow="ellipsis")
    for state, (text, reward) in enumerate(zip(event["texts"], event["rewards"], strict=True)):
        scored, said = f"{reward:+.3f}" if reward is not None else "thinks", Text(_tail(text, 200))
        if not text and event.get("reasoning"):
            said = Text(_tail(event["reasoning"][state], 200), style="dim italic")
        table.add_row(str(state), scored, _fate(event, state), said)
    return table


def _fate(event: dict[str, Any], state: int) -> Text:
    donor = next((item["donor"] for item in event["replacements"] if item["state"] == state), None)
    finished = event["finished"][state]
    if donor is not None:
        return Text(f"← takes {donor}" + (", finished" if finished else ""), style="red")
    if state in event["survivors"]:
        return Text("survives" + (", finished" if finished else ""), style="green")
    return Text("finished" if finished else "goes on", style="dim")


def outcome(evolution: dict[str, Any]) -> RenderableType:
    """Base and evolved answer side by side, then what they cost."""
    result = evolution["result"]
    best, base = result["choices"][0], result["base"]
    panels = [Panel(_said(best), title=f"evolved {_reward(best)}", border_style="green")]
    if base is not None:
        panels.insert(0, Panel(_said(base), title=f"base {_reward(base)}", border_style="yellow"))
    grid = Table.grid(expand=True)
    for _ in panels:
        grid.add_column(ratio=1)
    grid.add_row(*panels)
    tables = [_tokens(result), _seconds(result)]
    if base is not None and best["reward"] is not None:
        tables.insert(0, _parts(best, base))
    return Group(grid, Columns(tables), _summary(evolution, best, base))


def _said(choice: dict[str, Any]) -> Text:
    """What was thought, the text of a response, and a line for each call of a tool in it."""
    calls = [f"{call['name']}({call['arguments']})" for call in choice.get("tool_calls", ())]
    said = Text(plain("\n".join(filter(None, (choice["text"], *calls)))).strip())
    thought = plain(choice.get("reasoning", "")).strip()
    return Text(f"{thought}\n\n", style="dim italic").append(said) if thought else said


def _summary(evolution: dict[str, Any], best: dict[str, Any], base: dict[str, Any] | None) -> Text:
    text = Text(f"evolution {evolution['id']}, {evolution['model']}, {evolution['result']['rounds']} rounds")
    if base is not None and best["reward"] is not None:
        text.append(f", reward {best['reward'] - base['reward']:+.3f} over base", style="bold")
    if evolution["result"]["stopped_by"]:
        text.append(f", stopped by {evolution['result']['stopped_by']}", style="yellow")
    if fallback := evolution["result"].get("fallback"):
        text.append(f", answered with the base response ({fallback})", style="yellow")
    if wishes := evolution["result"].get("wishes_withheld"):
        text.append("\n").append(_withheld(wishes))
    return text


def _withheld(wishes: list[str]) -> Text:
    told = "; ".join(map(plain, wishes))
    return Text(f"wishes that are not told, since the conversation demands otherwise: {told}", style="yellow")


def _parts(best: dict[str, Any], base: dict[str, Any]) -> Table:
    """What each component of the reward gives both answers, and their words, which anyone can count."""
    table = Table("reward", "base", "evolved", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    both = (base, best)
    for name in best["components"]:
        table.add_row(name, *(f"{choice['components'].get(name, 0.0):+.3f}" for choice in both))
    table.add_row("together", *("" if choice["reward"] is None else f"{choice['reward']:+.3f}" for choice in both))
    table.add_section()
    table.add_row("words", *(str(len(choice["text"].split())) for choice in both))
    return table


def wishes(result: dict[str, Any], named: dict[str, str]) -> Table:
    """What was preferred, and whether both answers are so: as far as rules can tell, or how likely a judge finds it."""
    table = Table("you prefer", "base", "evolved", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for part, wish in named.items():
        said = ((choice or {}).get("components", {}).get(part) for choice in (result["base"], result["choices"][0]))
        table.add_row(plain(wish), *(_held(value, judged=part.startswith("rubric.")) for value in said))
    return table


def _held(value: float | None, *, judged: bool) -> Text:
    if value is None:
        return Text("")
    if judged:
        return Text(f"{value:.0%}")
    return Text("✓", style="green") if value == 1 else Text("✗", style="red")


def _tokens(result: dict[str, Any]) -> Table:
    table = Table("stage", "tokens", "", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for name, meaning in {
        "mutation": "sampled for mutants",
        "kept": "sampled, in a final response",
        "discarded": "sampled, then replaced",
        "generated": "the three together",
        "reward": "computed by reward models",
    }.items():
        table.add_row(name, str(result["tokens"][name]), Text(meaning, style="dim"))
    return table


def _seconds(result: dict[str, Any]) -> Table:
    table = Table("stage (they overlap)", "seconds", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for name in ("mutation", "generation", "reward", "total"):
        table.add_row(name, f"{result['seconds'][name]:.2f}")
    return table


def _reward(choice: dict[str, Any]) -> str:
    return "" if choice["reward"] is None else f"(reward {choice['reward']:+.3f})"


def plain(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def _short(text: str, length: int) -> str:
    flat = " ".join(plain(text).split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def _tail(text: str, length: int) -> str:
    flat = " ".join(plain(text).split())
    return flat if len(flat) <= length else "…" + flat[1 - length :]
