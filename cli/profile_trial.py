"""`darwin profiles try` as a table: the answer that was given beside the one that would have been."""

from collections.abc import Iterator
from typing import Any

from rich.markup import escape
from rich.table import Table

_CHARACTERS = 240


def trial_table(trial: dict[str, Any]) -> Table:
    """A row for each evolution that was judged again."""
    table = Table("evolution", "answered", f"would answer by {escape(trial['reference'])}", show_lines=True)
    for each in trial["evolutions"]:
        then, now = each["finals"][each["answered"]], each["finals"][each["would_answer"]]
        name = f"{each['id']}\n{escape(_shown(each['prompt'], 120))}\n[dim]{escape(each['profile'])}[/dim]"
        rest = _side(now, each["fallback"]) if each["changed"] else "[dim]the same[/dim]"
        table.add_row(name, _side(then), rest if each["reproduced"] else f"{rest}\n[dim]approximate[/dim]")
    return table


def trial_notes(trial: dict[str, Any]) -> Iterator[str]:
    """What the table does not say, a sentence a line."""
    summary = trial["summary"]
    yield f"{summary['changed']} of {summary['rescored']} answers would have been other ones"
    if summary["approximate"]:
        yield f"{summary['approximate']} are approximate: the recorded rewards do not pick the recorded answer"
    if summary["reward_tokens"]:
        cost = "" if summary["cost"] is None else f", which cost {summary['cost']:.6g}"
        yield f"reward models computed {summary['reward_tokens']:,} tokens{cost}"
    for each in trial["skipped"]:
        yield f"{each['id']} was not judged: {each['reason']}"


def _side(final: dict[str, Any], fallback: str | None = None) -> str:
    recorded, tried = final["recorded"], final["tried"]
    where = "base response" if final["state"] is None else f"cycle {final['cycle']}, state {final['state']}"
    lines = [
        escape(_shown(final["text"], _CHARACTERS)),
        f"[dim]{where}: reward {_reward(recorded)} → {_reward(tried)}[/dim]",
    ]
    if fallback:
        lines.append(f"[dim]fallback: {fallback}[/dim]")
    return "\n".join(lines)


def _reward(judgement: dict[str, Any]) -> str:
    notes = "".join(f" ({word} {judgement[word]})" for word in ("abstained", "breaks") if judgement[word])
    return ("–" if judgement["reward"] is None else f"{judgement['reward']:+.3f}") + escape(notes)


def _shown(text: str, characters: int) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= characters else f"{joined[: characters - 1]}…"
