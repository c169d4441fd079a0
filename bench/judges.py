"""Makes the judges that ship, and says how well they judge: `python -m bench.judges DATA_DIR`.

DATA_DIR holds preferences as JSON lines with `split` and `source` (docs/files.md). Both judges are linear scores of the
embedded encoder's vectors of question and answer, fitted under the Bradley–Terry model on the training side:

embedded      all pairs, whole, and cut to 250 and 500 characters
length-blind  of these only the pairs whose responses differ by at most a tenth in characters; from its score goes what
              a smooth function of the length predicts of it, fitted to the differences within all training pairs

Both also learn to prefer a chosen response to its words in another order, and to a response of another prompt of about
its length. Strength of the penalty and whether LLMBar counts are chosen by 4-fold cross-validation over training
prompts. HH, whose annotators chose by harm, is measured only. Writes two safetensors and a card into --out.
Embeddings are kept in bench/out; the first run takes about ten minutes.
"""

import argparse
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console

from bench.judge_card import JudgedGroup, card, table
from cli.evaluation.embedded import WEIGHTS, Doubles, Floats, LinearJudge, basis, embed, features, write_judge
from services.reward.training.data import TRAIN, Preferences, TrainingPair, read_preferences
from services.reward.training.evaluate import interval
from services.reward.training.head import fit, loss
from shared.text.encoder import Encoder

CACHE = Path(__file__).parent / "out" / "judge-embeddings.npz"
CUTS = (250, 500)
NEAR = 0.1
SHUFFLED, ELSEWHERE = "shuffled", "elsewhere"
NEGATIVE_WEIGHT = 0.1
UNUSED = "hh_harmless"
"""A source that is only measured: its annotators chose by harm and not by quality."""
FOLDS = 4
L2 = (0.3, 1.0, 3.0, 10.0)
LLMBAR = (0.0, 1.0)
_AT_ONCE = 1024


@dataclass(frozen=True)
class JudgePair:
    """Two responses, the better one first; `kind` is "whole", a cut, `SHUFFLED` or `ELSEWHERE`."""

    prompt: str
    better: str
    worse: str
    kind: str
    source: str
    training: bool
    fold: int

    @property
    def real(self) -> bool:
        return self.kind not in (SHUFFLED, ELSEWHERE)

    @property
    def near(self) -> bool:
        """Whether the lengths differ by at most a tenth of the longer one."""
        return abs(len(self.better) - len(self.worse)) <= NEAR * max(len(self.better), len(self.worse))


@dataclass(frozen=True, eq=False)
class Measured:
    """Pairs and what the judges see of them: `features` [n, 2, f], `characters` [n, 2], the better response first."""

    pairs: tuple[JudgePair, ...]
    features: Floats
    characters: Doubles

    def where(self, members: Sequence[bool]) -> "Measured":
        kept = np.array(members, dtype=bool)
        pairs = tuple(pair for pair, member in zip(self.pairs, members, strict=True) if member)
        return Measured(pairs, self.features[kept], self.characters[kept])

    @property
    def differences(self) -> Doubles:
        """Features of the better less those of the worse, [n, f]."""
        found: Doubles = (self.features[:, 0] - self.features[:, 1]).astype(np.float64)
        return found

    def margins(self, judge: LinearJudge) -> Doubles:
        """Scores of the better less those of the worse, [n]."""
        scores = [judge.scores(self.features[:, side], self.characters[:, side].tolist()) for side in (0, 1)]
        return scores[0] - scores[1]


def judge_pairs(pairs: Sequence[TrainingPair], seed: int = 0) -> Iterator[JudgePair]:
    """Each pair whole and cut, and its chosen response against its own words shuffled and against another prompt's."""
    chance = random.Random(seed)
    for training in (True, False):
        side = [pair for pair in pairs if (pair.split == TRAIN) is training]
        by_length = sorted(side, key=lambda pair: len(pair.chosen))
        lengths = [len(pair.chosen) for pair in by_length]
        for pair in side:
            fold = pair.conversation.digest[0] % FOLDS

            def made(better: str, worse: str, kind: str, pair: TrainingPair = pair, fold: int = fold) -> JudgePair:
                return JudgePair(
                    pair.conversation.instruction, better, worse, kind, pair.source, pair.split == TRAIN, fold
                )

            yield made(pair.chosen, pair.rejected, "whole")
            for cut in CUTS:
                if min(len(pair.chosen), len(pair.rejected)) > cut:
                    both = _cut(pair.chosen, cut), _cut(pair.rejected, cut)
                    if all(both) and both[0] != both[1]:
                        yield made(*both, f"first {cut} characters")
            place = bisect_left(lengths, len(pair.chosen)) + chance.randint(-20, 20)
            other = by_length[min(max(place, 0), len(by_length) - 1)]
            if other.conversation.digest != pair.conversation.digest:
                yield made(pair.chosen, other.chosen, ELSEWHERE)
            words = pair.chosen.split()
            # An eighth of the training side is enough to learn from, and embedding takes time.
            if len(words) > 3 and (not training or chance.random() < 1 / 8):
                words = words[:100]
                shuffled = chance.sample(words, len(words))
                yield made(" ".join(words), " ".join(shuffled), SHUFFLED)


def _cut(text: str, characters: int) -> str:
    """The beginning of a text up to its last whole word within `characters`."""
    return text[:characters].rpartition(" ")[0].rstrip()


def measured(pairs: Sequence[JudgePair], console: Console) -> Measured:
    """The features of all pairs; vectors that an earlier run computed are taken from `CACHE`."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.prompt, pair.better, pair.worse)))
    keys = {text: blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest() for text in texts}
    known = _kept()
    missing = sorted((text for text in texts if keys[text] not in known), key=len)
    if missing:
        encoder = Encoder()
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            known |= {keys[text]: vector for text, vector in zip(part, embed(encoder, part), strict=True)}
            _keep(known)
            console.print(f"embedded {start + len(part)} of {len(missing)} texts, short ones first")
    prompts, better, worse = (
        np.stack([known[keys[getattr(pair, name)]] for pair in pairs]) for name in ("prompt", "better", "worse")
    )
    both = np.stack([features(prompts, better), features(prompts, worse)], axis=1)
    return Measured(tuple(pairs), both, np.array([[len(pair.better), len(pair.worse)] for pair in pairs], np.float64))


def _kept() -> dict[str, Floats]:
    if not CACHE.is_file():
        return {}
    with np.load(CACHE) as held:
        return dict(zip(held["keys"].tolist(), held["vectors"], strict=True))


def _keep(vectors: dict[str, Floats]) -> None:
    """Writes beside `CACHE` and renames, so that a run which is killed leaves what the last batch left."""
    CACHE.parent.mkdir(exist_ok=True)
    partial = CACHE.with_suffix(".partial.npz")
    np.savez(partial, keys=np.array(list(vectors)), vectors=np.stack(list(vectors.values())))
    partial.replace(CACHE)


def weight(training: Measured, l2: float, llmbar: float) -> Doubles:
    """The fitted weight; pairs of `UNUSED` count nothing, and negatives `NEGATIVE_WEIGHT`."""
    of_source = {UNUSED: 0.0, "llmbar": llmbar}
    counts = [of_source.get(pair.source, 1.0) * (1.0 if pair.real else NEGATIVE_WEIGHT) for pair in training.pairs]
    return fit(training.differences, l2, np.array(counts))


def validated(training: Measured) -> tuple[float, float]:
    """The (l2, weight of LLMBar) with the least loss on real pairs of left-out training prompts.

    Those of LLMBar and `UNUSED` do not count.
    """

    def left_out(l2: float, llmbar: float) -> float:
        losses = []
        for fold in range(FOLDS):
            fitted = weight(training.where([pair.fold != fold for pair in training.pairs]), l2, llmbar)
            of_fold = [
                pair.fold == fold and pair.real and pair.source not in ("llmbar", UNUSED) for pair in training.pairs
            ]
            losses.append(loss(fitted, training.where(of_fold).differences))
        return float(np.mean(losses))

    return min(product(L2, LLMBAR), key=lambda chosen: left_out(*chosen))


def trained(training: Measured, *, blind: bool) -> tuple[LinearJudge, tuple[float, float]]:
    """A judge, and the settings that cross-validation chose. Its mean over whole training responses is 0."""
    members = training.where([pair.near for pair in training.pairs]) if blind else training
    chosen = validated(members)
    fitted = weight(members, *chosen)
    whole = training.where([pair.kind == "whole" for pair in training.pairs])
    length: Doubles = np.zeros(3)
    if blind:
        by_length = basis(whole.characters[:, 0].tolist()) - basis(whole.characters[:, 1].tolist())
        length = np.asarray(np.linalg.lstsq(by_length, whole.differences @ fitted, rcond=None)[0], np.float64)
    centred = LinearJudge(fitted, 0.0, length)
    means = [centred.scores(whole.features[:, side], whole.characters[:, side].tolist()).mean() for side in (0, 1)]
    return LinearJudge(fitted, -float(np.mean(means)), length), chosen


def judged(held_out: Measured, judges: dict[str, LinearJudge]) -> list[JudgedGroup]:
    """How often each judge prefers the better response, by group of held-out pairs; and how often the longer one."""
    pairs = held_out.pairs
    whole = [pair.kind == "whole" for pair in pairs]
    groups = {"all pairs": whole}
    for source in sorted({pair.source for pair in pairs}):
        groups[source] = [pair.kind == "whole" and pair.source == source for pair in pairs]
    groups["whole, of equal length"] = [pair.kind == "whole" and pair.near for pair in pairs]
    for cut in CUTS:
        groups[f"first {cut} characters"] = [pair.kind == f"first {cut} characters" and pair.near for pair in pairs]
    groups["its words in another order"] = [pair.kind == SHUFFLED for pair in pairs]
    groups["another prompt's response, of equal length"] = [pair.kind == ELSEWHERE and pair.near for pair in pairs]
    longer = held_out.characters[:, 0] - held_out.characters[:, 1]
    margins = {"longer wins": longer} | {name: held_out.margins(judge) for name, judge in judges.items()}
    prompts = np.unique([pair.prompt for pair in pairs], return_inverse=True)[1]

    def group(name: str, members: Sequence[bool], signs: Doubles) -> JudgedGroup:
        kept = np.array(members, dtype=bool)
        found = {scorer: interval(signs[kept] * margin[kept], prompts[kept], 0) for scorer, margin in margins.items()}
        return JudgedGroup(name, int(kept.sum()), found)

    one = np.ones(len(pairs))
    rows = [group(name, members, one) for name, members in groups.items() if any(members)]
    differing = [member and bool(length) for member, length in zip(whole, longer, strict=True)]
    return [*rows, group("prefers the longer of two (½ is blind)", differing, np.sign(longer))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    console = Console(width=120)
    preferences: Preferences = read_preferences(sorted(arguments.data.glob("*.jsonl")), 0.2, skip_invalid=True)
    every = measured(list(judge_pairs(preferences.pairs)), console)
    training = every.where([pair.training for pair in every.pairs])
    made = {name: trained(training, blind=blind) for name, blind in (("embedded", False), ("length-blind", True))}
    groups = judged(
        every.where([not pair.training for pair in every.pairs]), {name: judge for name, (judge, _) in made.items()}
    )
    data = {file.name: digest for file, digest in preferences.digests.items()}
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, (judge, (l2, llmbar)) in made.items():
        about = {"command": "python -m bench.judges", "data": data, "l2": l2, "llmbar": llmbar}
        write_judge(arguments.out / f"{name}.safetensors", judge, about)
    console.print(table(groups))
    counts = {name: sum(pair.training and pair.kind == name for pair in every.pairs) for name in _kinds(every.pairs)}
    near = sum(pair.training and pair.near and pair.real for pair in every.pairs)
    settings = {name: chosen for name, (_, chosen) in made.items()}
    (arguments.out / "README.md").write_text(card(groups, data, counts, near, settings), "utf-8")


def _kinds(pairs: Sequence[JudgePair]) -> list[str]:
    return sorted({pair.kind for pair in pairs})


if __name__ == "__main__":
    main()
