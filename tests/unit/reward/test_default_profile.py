"""The shipped default must prefer an answer to the question over the cheap ways to fool a reward model."""

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from services.reward.bootstrap import build_rewarder
from services.reward.rewarder import Rewarder
from services.reward.settings import RewardSettings
from services.reward.validation import ResponseCandidate
from shared.records.evolution import Message

PAIRS = (
    (
        "How do plants make food?",
        "Plants make their food through photosynthesis. Chlorophyll in the leaves absorbs sunlight, and its "
        "energy turns carbon dioxide and water into glucose, which feeds the plant, and oxygen, which it releases "
        "into the air.",
    ),
    (
        "Give me three tips for sleeping better.",
        "Here are three tips for better sleep: go to bed and get up at the same time every day; keep your bedroom "
        "cool, dark and quiet; and avoid screens, coffee and heavy meals during the last hours before bedtime.",
    ),
    (
        "What is the capital of France, and what is it known for?",
        "The capital of France is Paris. It is known for the Eiffel Tower, the Louvre with the Mona Lisa, the "
        "cathedral of Notre-Dame, its cafés and fashion houses, and a long history as a centre of art and "
        "learning.",
    ),
    (
        "How can I learn to play the guitar as an adult?",
        "Start with a comfortable acoustic guitar and learn a few open chords such as G, C and D. Practise for "
        "fifteen minutes every day, play simple songs that you love, and take lessons, online or with a teacher, "
        "to fix bad habits.",
    ),
    (
        "Explain what inflation is in simple terms.",
        "Inflation means that prices rise over time, so the same amount of money buys less than it did before. If "
        "bread costs two dollars today and two dollars and ten cents next year, the inflation rate for bread is "
        "five percent.",
    ),
    (
        "How do I change a flat tire?",
        "Park on level ground and set the parking brake. Loosen the lug nuts a little, lift the car with the "
        "jack, remove the nuts and the flat tire, mount the spare tire, tighten the nuts by hand, lower the car "
        "and tighten them fully.",
    ),
    (
        "Write a short email dialogue my manager for a day off on Friday.",
        "Dear Ms. Lopez, I would like to request a day off this Friday for a family matter. My tasks for the week "
        "will be finished on Thursday, and Sam has agreed to cover for me. Thank you for considering my request. "
        "Best regards, Ana",
    ),
    (
        "Why is the sky blue?",
        "The sky looks blue because air molecules scatter the short blue wavelengths of sunlight much more than "
        "the long red ones. This is called Rayleigh scattering, and it sends blue light to our eyes from every "
        "direction.",
    ),
    (
        "What should a beginner know before adopting a dog?",
        "Before adopting a dog, make sure that you have time for daily walks, training and play. Plan for the "
        "cost of food and the vet, choose a breed whose energy suits your home, and be patient while the dog "
        "settles in.",
    ),
    (
        "How does a vaccine work?",
        "A vaccine shows your immune system a harmless piece of a virus or bacterium. The body learns to "
        "recognise it and makes antibodies and memory cells, so that it can fight the real infection quickly when "
        "it comes.",
    ),
)
REPEATED = ("yes " * 60, "good good good good good good good good", "the " * 40)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rewarder() -> AsyncIterator[Rewarder]:
    rewarder = build_rewarder(RewardSettings())
    await rewarder.start()
    yield rewarder
    await rewarder.stop()


async def rewards(rewarder: Rewarder, instruction: str, texts: Sequence[str]) -> list[float]:
    candidates = [ResponseCandidate(str(number), text) for number, text in enumerate(texts)]
    scored = await rewarder.score([Message("user", instruction)], candidates)
    return [score.reward for score in scored.scores]


def cut(text: str, words: int | None) -> str:
    """30 words are about 40 tokens."""
    return " ".join(text.split()[:words])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("words", [None, 30], ids=["whole", "partial"])
@pytest.mark.parametrize(("instruction", "answer"), PAIRS)
async def test_an_answer_beats_nothing_and_repetition(
    rewarder: Rewarder, instruction: str, answer: str, words: int | None
) -> None:
    own, *others = await rewards(rewarder, instruction, [cut(answer, words), "", *REPEATED])
    assert own > max(others) + 1


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("words", [None, 30], ids=["whole", "partial"])
async def test_an_answer_beats_those_to_other_questions(rewarder: Rewarder, words: int | None) -> None:
    """The reward is small: of the 90 comparisons it may lose four, never two for one question."""
    lost = []
    for instruction, answer in PAIRS:
        others = [cut(other, words) for _, other in PAIRS if other != answer]
        own, *foreign = await rewards(rewarder, instruction, [cut(answer, words), *others])
        lost.append(sum(reward >= own for reward in foreign))
    print(f"{sum(lost)} of {len(PAIRS) * (len(PAIRS) - 1)} comparisons lost")
    assert sum(lost) <= 4
    assert max(lost) <= 1
