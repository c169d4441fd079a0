import pytest

from services.mutation import fidelity
from services.mutation.settings import THRESHOLD
from shared.errors import NotFound
from shared.text.embedded_models import EMBEDDED_ENCODER

ORIGINAL = "How do I teach my dog to sit?"


@pytest.fixture(scope="module")
def encoder() -> fidelity.Fidelity:
    try:
        return fidelity.load(EMBEDDED_ENCODER)
    except NotFound as missing:
        pytest.skip(missing.message)


@pytest.mark.parametrize("name", ["encoder", "simulated"])
def test_similarities(name: str, request: pytest.FixtureRequest) -> None:
    measure = request.getfixturevalue("encoder") if name == "encoder" else fidelity.load(fidelity.SIMULATED)
    same, near, far = measure.compare_to(ORIGINAL)([ORIGINAL, "How can I teach a dog to sit?", "Name a river in Peru."])
    assert same == pytest.approx(1, abs=0.01)
    assert same > near > far
    assert near > 0.6 > 0.3 > far


def test_the_encoder_sees_synonyms(encoder: fidelity.Fidelity) -> None:
    (similarity,) = encoder.compare_to(ORIGINAL)(["What is the best way to train a puppy to sit down?"])
    assert similarity > 0.7


def test_a_question_without_its_passage_is_far_from_both_together(encoder: fidelity.Fidelity) -> None:
    question = "Answer the question about the passage. Who was late?"
    passage = (
        "On Monday the baker opened the shop at six, and the miller brought flour on his cart. By noon the rain had "
        "flooded the road to the harbour, so that the fishermen sold their catch in the square instead. The mayor, "
        "who had promised to come at one, was late, because her horse had lost a shoe."
    )
    (similarity,) = encoder.compare_to(f"{question}\n\n{passage}")([question])
    assert similarity < THRESHOLD


def test_nothing_in_nothing_out() -> None:
    assert fidelity.load(fidelity.SIMULATED).compare_to("x")([]) == []
    assert fidelity.load(fidelity.SIMULATED).compare_to("x")([""]) == [0.0]
