"""What the archive grew from: the original instruction, its mutants, their mutants. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cli.history.lineage import Instruction, original, population
from cli.history.recording import SavedRecording
from shared.records.events import BaseScored, CycleFinished, CycleStarted


@dataclass
class Branch:
    """An instruction and what was made of it.

    `cycle` and `state` say which state wrote under it, 0 and None for the base response. `reward` is that of its final
    response. `entered` says that it entered the archive, `left` that it is not there any more; the answer is the final
    response of the state that `won`.
    """

    mutant: Instruction
    cycle: int = 0
    state: int | None = None
    reward: float | None = None
    entered: bool = False
    left: bool = False
    won: bool = False
    children: list["Branch"] = field(default_factory=list)


def archive_tree(recording: SavedRecording) -> Branch:
    """The original instruction, with every mutant below the one it was made from."""
    root = parent = Branch(original(recording), entered=True)
    states: list[Branch] = []
    archived, everyone = {root.mutant.text: root}, [root]
    for event in recording.events:
        match event:
            case BaseScored():
                root.reward = event.reward
            case CycleStarted():
                parent = archived.get(event.parent, root)
                states = [Branch(mutant, event.cycle, state) for state, mutant in _states(recording, event.cycle)]
                parent.children += states
                everyone += states
            case CycleFinished():
                _finish(states, parent, archived, event)
    for branch in everyone:
        branch.left = branch.entered and branch.mutant.text not in archived
        branch.won = _won(recording, branch)
    return root


def _states(recording: SavedRecording, cycle: int) -> list[tuple[int, Instruction]]:
    return sorted(population(recording, cycle).items())


def _finish(states: Sequence[Branch], parent: Branch, archived: dict[str, Branch], event: CycleFinished) -> None:
    """Marks what the cycle brought into the archive, and forgets what it drove out."""
    for branch, reward in zip(states, event.rewards, strict=False):
        branch.reward = reward
    for entry in event.candidates:
        offered = (b for b in states if (b.mutant.text, b.reward) == (entry.instruction, entry.reward))
        entered = next(offered, None)
        if entered and parent.reward is not None and entry.reward > parent.reward:
            entered.entered = True
            archived[entry.instruction] = entered
    for instruction in archived.keys() - {entry.instruction for entry in event.archive}:
        del archived[instruction]


def _won(recording: SavedRecording, branch: Branch) -> bool:
    if recording.result is None or not recording.result.choices:
        return False
    best = recording.result.choices[0]
    return (best.cycle, best.state) == (branch.cycle, branch.state)
