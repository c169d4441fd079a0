"""How well the judges that ship judge: a table, and the card beside their weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

Share = tuple[float, float, float]
"""A share of pairs, and its 95% interval over prompts."""

_LICENCES = {"autoj": "Apache-2.0", "hh_harmless": "MIT", "llmbar": "MIT", "pandalm": "Apache-2.0"}
_CARD = """# The judges that ship

`darwin eval --judge length-blind --judge embedded`. Each is a linear score of what all-MiniLM-L6-v2 (Apache-2.0) makes
of the last message and the response: the response's vector, its product with the message's, their distance, their
cosine. The shipped reward has another trunk (SmolLM2) and another score, but was trained on the same preferences: no
judge here has seen annotators that the reward has not.

**They are no judges of quality.** They tell an answer to the question from one to another, and words in order from
words shuffled. Between two answers that people compared no skill of theirs can be shown: whole, cut, or of one length
they agree with people as often as a coin. What they say is that an answer is on topic and coherent. A claim about
quality rests on a judge of your own, or on a language model under a rubric (`--judge-endpoint`).

`length-blind` is blind to length by construction: it was fitted to pairs whose responses differ by at most a tenth in
characters (most of them cut to the same length), and what a cubic of log(1 + characters) predicts of its score's
differences within the training pairs is taken away from it. `embedded` was fitted to all pairs and likes length.

## Made by

```
python -m bench.judges DATA_DIR
```

| judge | l2 | weight of LLMBar |
| --- | --- | --- |
{settings}

Both settings were chosen by 4-fold cross-validation over training prompts. The held-out side had been looked at once
before, with HH at half weight and negatives at 0.3 in place of 0.1; what followed was chosen on the training side.
HH is measured and not learned from: its annotators chose by harm.

| training pairs | |
| --- | --- |
{counts}
| of equal length (length-blind's, but for negatives) | {near} |

| source | licence | SHA-256 |
| --- | --- | --- |
{sources}

## Held-out pairs

How often the better response scores higher, with 95% bootstrap intervals over prompts; a tie counts half.

{table}

## Limits

- They read 256 tokens of a response, and the last message alone of a conversation.
- They know English, and nothing of what is true.
- A vector of a whole text hardly tells the order of its words.
"""


@dataclass(frozen=True)
class JudgedGroup:
    """A group of held-out pairs, how many they are, and the share that each scorer judges rightly."""

    name: str
    pairs: int
    shares: Mapping[str, Share]


def table(groups: Sequence[JudgedGroup]) -> Table:
    """A line for each group, for a terminal."""
    shown = Table("the better one against", "pairs", *groups[0].shares)
    for row in _rows(groups):
        shown.add_row(*row)
    return shown


def card(
    groups: Sequence[JudgedGroup],
    data: Mapping[str, str],
    counts: Mapping[str, int],
    near: int,
    settings: Mapping[str, tuple[float, float]],
) -> str:
    """The card: `data` are digests by file, `counts` training pairs by kind, `settings` (l2, weight of LLMBar)."""
    head = ["group", "pairs", *groups[0].shares]
    lines = [head, ["---"] * len(head), *_rows(groups)]
    return _CARD.format(
        settings="\n".join(f"| {name} | {l2:g} | {llmbar:g} |" for name, (l2, llmbar) in settings.items()),
        counts="\n".join(f"| {name} | {count} |" for name, count in counts.items()),
        near=near,
        sources="\n".join(
            f"| {file} | {_LICENCES.get(file.removesuffix('.jsonl'), 'not stated')} | `{digest}` |"
            for file, digest in data.items()
        ),
        table="\n".join(f"| {' | '.join(line)} |" for line in lines),
    )


def _rows(groups: Sequence[JudgedGroup]) -> list[list[str]]:
    return [
        [
            group.name,
            str(group.pairs),
            *(f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in group.shares.values()),
        ]
        for group in groups
    ]
