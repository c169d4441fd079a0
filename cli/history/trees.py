"""The archive as a tree, and the answer piece by piece."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from cli.history.archive import Branch
from cli.history.lineage import Instruction, WrittenPiece
from cli.view import plain

_INSTRUCTION_CHARACTERS = 300


def tree(branch: Branch) -> Tree:
    """Each instruction with where it came from, what it earned, and what the archive made of it."""
    drawn = Tree(_label(branch), guide_style="dim")
    for child in branch.children:
        drawn.children.append(tree(child))
    return drawn


def answer_table(pieces: Sequence[WrittenPiece]) -> Table:
    """Which state wrote which tokens, from the first to the last."""
    table = Table("round", "state", "tokens", "text", box=box.SIMPLE_HEAD, expand=True, pad_edge=False, show_edge=False)
    table.columns[1].justify = table.columns[2].justify = "right"
    table.columns[3].ratio = 1
    table.columns[3].overflow = "fold"
    for piece in pieces:
        where = "base" if piece.state is None else f"{piece.cycle}.{piece.round}"
        state = "" if piece.state is None else str(piece.state)
        text = Text(f"{origin(piece.mutant)}\n", style="magenta").append(plain(piece.text), style="default")
        table.add_row(where, state, "?" if piece.tokens is None else str(piece.tokens), text)
    return table


def origin(mutant: Instruction) -> str:
    """Who made it: an operator, where one did."""
    return mutant.operator if mutant.source in ("model", "template") and mutant.operator else mutant.source


def _label(branch: Branch) -> Text:
    where = "base" if branch.state is None else f"{branch.cycle}.{branch.state}"
    label = Text(where, style="bold")
    by = origin(branch.mutant)
    source = f" ({branch.mutant.source})" if by != branch.mutant.source else ""
    label.append(f" {by}{source}", style="magenta not bold")
    if branch.reward is not None:
        label.append(f" {branch.reward:+.3f}", style="default not bold")
    if branch.entered:
        label.append(" left the archive" if branch.left else " in the archive", style="cyan not bold")
    if branch.won:
        label.append(" won", style="green bold")
    text = " ".join(plain(branch.mutant.text).split())
    if len(text) > _INSTRUCTION_CHARACTERS:
        text = text[: _INSTRUCTION_CHARACTERS - 1] + "…"
    return label.append(f"\n{text}", style="default not bold")
