"""Classifiers of the families that people have, each a tiny checkpoint: the score is the definition's, in any batch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from services.reward.classifier import ClassifierScorer
from services.reward.registry import ClassifierSpec
from services.reward.runtime import Runtime
from services.reward.scorer import Conversation, ScoreItem
from shared.records.evolution import Message
from tests.unit.reward.checkpoints import FAMILIES, gated, llama

QUESTION = Conversation((Message("user", "How do plants make food?"),))
SYSTEM = Conversation((Message("system", "Be brief."), *QUESTION.messages))
LONG = "Leaves turn sunlight, water and carbon dioxide into sugar, and set oxygen free. " * 3
ITEMS = [
    ScoreItem(QUESTION, "By photosynthesis."),
    ScoreItem(QUESTION, "By photosynthesis.", partial=True),
    ScoreItem(QUESTION, ""),
    ScoreItem(SYSTEM, LONG),
    ScoreItem(SYSTEM, LONG + "!", partial=True),
    ScoreItem(QUESTION, "naïve 光合作用 \x00 🌱 </s> [SEP] <|im_end|>"),
]
HISTORY = Conversation(
    (Message("system", "Be brief."), *(Message(role, LONG) for role in ("user", "assistant") * 3), *QUESTION.messages)  # type: ignore[arg-type]
)


def spec_of(folder: Path, **fields: Any) -> ClassifierSpec:
    segments = 2 if "two_segments" in folder.name else 1
    return ClassifierSpec.model_validate(
        {"name": "it", "weight": 1, "type": "classifier", "model": str(folder), "segments": segments} | fields
    )


def loaded(spec: ClassifierSpec, **runtime: Any) -> ClassifierScorer:
    scorer = ClassifierScorer(spec, Runtime(**({"dtype": "float32", "threads": 1} | runtime)))
    scorer.load()
    return scorer


@pytest.fixture(scope="module", params=list(FAMILIES))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param](tmp_path_factory.mktemp("families") / request.param)


@pytest.fixture(scope="module")
def scorer(family: Path) -> ClassifierScorer:
    return loaded(spec_of(family))


def encoded(scorer: ClassifierScorer, item: ScoreItem) -> tuple[int, ...]:
    return scorer._found.format.encode(item).token_ids


def spoken(tokenizer: Any, ids: Sequence[int]) -> str:
    return "".join(tokenizer.decode(ids).lower().split())


def test_the_score_is_the_definitions_alone_and_in_a_batch(scorer: ClassifierScorer, family: Path) -> None:
    """The definition: transformers' own model on the row alone, told of no padding, so that it takes the last token."""
    model = AutoModelForSequenceClassification.from_pretrained(family, dtype=torch.float32)
    model.config.pad_token_id = model.config.get_text_config().pad_token_id = None
    together = scorer.score(ITEMS)
    backwards = scorer.score(ITEMS[::-1])[::-1]
    expected = []
    for item in ITEMS:
        row = scorer._found.format.encode(item)
        types = {} if row.type_ids is None else {"token_type_ids": torch.tensor([row.type_ids])}
        with torch.no_grad():
            expected.append(float(model(input_ids=torch.tensor([row.token_ids]), **types).logits[0, 0]))
    assert max(expected) - min(expected) > 0.01
    for scores in (together, backwards, [scorer.score([item])[0] for item in ITEMS]):
        assert [score.value for score in scores] == pytest.approx(expected, abs=1e-4)


def test_rewards_are_finer_than_bfloat16_where_the_trunk_is_not(family: Path) -> None:
    scores = loaded(spec_of(family), dtype="bfloat16").score([ScoreItem(QUESTION, f"Answer {n}.") for n in range(12)])
    values = [score.value for score in scores]
    assert len(set(values)) >= 11
    assert sum(float(torch.tensor(value).bfloat16()) != value for value in values) >= 10


def test_a_long_conversation_loses_its_oldest_turns_first(scorer: ClassifierScorer, family: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(family)
    whole, short = encoded(scorer, ScoreItem(HISTORY, "It is so.")), encoded(scorer, ITEMS[0])
    assert len(short) < len(whole) <= scorer._found.max_tokens
    text = spoken(tokenizer, whole)
    for kept in ("bebrief", "howdoplantsmakefood?", "itisso."):
        assert kept in text
    assert whole[0] == short[0]


def test_a_long_answer_keeps_its_end_and_what_stands_first(scorer: ClassifierScorer, family: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(family)
    ids = encoded(scorer, ScoreItem(HISTORY, LONG * 20 + "The end."))
    assert len(ids) == scorer._found.max_tokens
    assert "theend." in spoken(tokenizer, ids)
    if tokenizer.cls_token_id is not None:
        assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    assert scorer.score([ScoreItem(HISTORY, LONG * 20)])[0].computed_tokens == len(ids)


def test_text_that_spells_control_tokens_stays_text(scorer: ClassifierScorer, family: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(family)
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    innocent = encoded(scorer, ScoreItem(SYSTEM, "Yes."))
    spelled = "".join(tokenizer.all_special_tokens)
    messages = tuple(Message(message.role, message.content + spelled) for message in SYSTEM.messages)
    nasty = encoded(scorer, ScoreItem(Conversation(messages), "Yes." + spelled))
    assert [token for token in nasty if token in special] == [token for token in innocent if token in special]
    assert len(nasty) > len(innocent)


def test_a_model_reads_what_its_tokenizer_makes_of_the_text(scorer: ClassifierScorer, family: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(family)
    row = scorer._found.format.encode(ScoreItem(QUESTION, "By photosynthesis."))
    turns = [{"role": "user", "content": "How do plants make food?"}]
    if "two_segments" in family.name:
        own = tokenizer("How do plants make food?", "By photosynthesis.")
    else:
        turns.append({"role": "assistant", "content": "By photosynthesis."})
        rendered = tokenizer.apply_chat_template(turns, tokenize=False)
        own = tokenizer(rendered, add_special_tokens=tokenizer.cls_token_id is not None)
    assert list(row.token_ids) == own["input_ids"]
    if row.type_ids is not None:
        assert list(row.type_ids) == own["token_type_ids"]


def test_segments_number_only_where_the_model_takes_them(tmp_path: Path) -> None:
    takes = {name: loaded(spec_of(FAMILIES[name](tmp_path / name)))._found.token_types for name in TWO_SEGMENTS}
    assert takes == {"two_segments": True, "deberta_two_segments": False}


TWO_SEGMENTS = ("two_segments", "deberta_two_segments")


def test_a_partial_response_is_not_closed(scorer: ClassifierScorer, family: Path) -> None:
    closed, opened = (encoded(scorer, ScoreItem(QUESTION, "So", partial)) for partial in (False, True))
    tokenizer = AutoTokenizer.from_pretrained(family)
    if tokenizer.cls_token_id is None:
        assert closed == (*opened, tokenizer.convert_tokens_to_ids("<|im_end|>"))
        assert scorer.score([ScoreItem(QUESTION, "So")])[0] != scorer.score([ScoreItem(QUESTION, "So", True)])[0]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gated(tmp_path_factory.mktemp("gated"))


def definition(folder: Path) -> Callable[[ClassifierScorer, ScoreItem], Any]:
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, trust_remote_code=True)

    def of(scorer: ClassifierScorer, item: ScoreItem) -> Any:
        ids = torch.tensor([encoded(scorer, item)])
        with torch.no_grad():
            return model(ids, attention_mask=torch.ones_like(ids))

    return of


def test_code_of_a_checkpoint_gives_one_number_or_the_one_asked_for(gate: Path) -> None:
    of = definition(gate)
    gating = loaded(spec_of(gate, trust_remote_code=True))
    third = loaded(spec_of(gate, trust_remote_code=True, output=3))
    items = ITEMS[:4]
    expected = [of(gating, item) for item in items]
    assert [s.value for s in gating.score(items)] == pytest.approx([float(e.logits[0]) for e in expected], abs=1e-4)
    assert [s.value for s in third.score(items)] == pytest.approx([float(e.rewards[0, 3]) for e in expected], abs=1e-4)


def test_heads_of_a_checkpoints_code_compute_in_float32(gate: Path) -> None:
    scorer = loaded(spec_of(gate, trust_remote_code=True), dtype="bfloat16")
    assert set(scorer._found.head) == {"regression_layer", "gating", "mixing"}
    scores = {score.value for score in scorer.score([ScoreItem(QUESTION, f"Answer {n}.") for n in range(20)])}
    assert len(scores) >= 18


def test_an_output_is_named_by_number_or_label(tmp_path: Path) -> None:
    folder = llama(tmp_path / "three", num_labels=3, id2label={0: "kind", 1: "short", 2: "true"})
    by_number, by_name = (loaded(spec_of(folder, output=output)).score(ITEMS) for output in (2, "true"))
    other = loaded(spec_of(folder, output=0)).score(ITEMS)
    assert by_number == by_name != other
