"""The encoder computes what transformers computes from the same folder."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info
from transformers import AutoModel, AutoTokenizer

from shared.text.bert import Floats
from shared.text.embedded_models import EMBEDDED_ENCODER, resolve
from shared.text.encoder import MAX_TOKENS, Encoder, copy

TEXTS = (
    "How do I teach my dog to sit?",
    "What is the best way to train a puppy to sit down?",
    "Name a river in Peru.",
    "",
    "Übung macht den Meister — 練習, naïve café, 🙂!",
    "def f(x):\n    return x ** 2  # ünïcode",
    "word " * 120,
    "A sentence that is said again and again until nobody listens. " * 60,
)

Embed = Callable[[Sequence[str]], Floats]


@pytest.fixture(scope="module")
def reference() -> Embed:
    folder = resolve(EMBEDDED_ENCODER)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()

    @torch.inference_mode()
    def embed(texts: Sequence[str]) -> Floats:
        batch = tokenizer(list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        mask = batch["attention_mask"].unsqueeze(-1)
        mean = (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
        return np.asarray(torch.nn.functional.normalize(mean, dim=-1))

    return embed


@pytest.fixture(scope="module")
def whole() -> Encoder:
    return Encoder()


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tmp_path_factory.mktemp("encoder") / "half"
    copy(folder)
    return Encoder(str(folder))


@pytest.fixture(params=["whole", "half"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Encoder)
    return found


def test_vectors_are_those_of_transformers(encoder: Encoder, reference: Embed) -> None:
    ours, theirs = encoder.embed(TEXTS), reference(TEXTS)
    assert ours.dtype == np.float32
    assert ours.shape == (len(TEXTS), 384)
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1, abs=1e-5)
    assert (ours * theirs).sum(1).min() > 0.9999
    assert np.abs(ours @ ours.T - theirs @ theirs.T).max() < 0.003


def test_tokens_are_those_of_transformers(encoder: Encoder) -> None:
    theirs = AutoTokenizer.from_pretrained(resolve(EMBEDDED_ENCODER))(list(TEXTS), truncation=True, max_length=256)
    counts = encoder.count_tokens(TEXTS)
    assert counts == [len(ids) for ids in theirs["input_ids"]]
    assert max(counts) == MAX_TOKENS


def test_encoding_tells_what_is_not_read(encoder: Encoder) -> None:
    theirs = AutoTokenizer.from_pretrained(resolve(EMBEDDED_ENCODER))(list(TEXTS))["input_ids"]
    read = [encoder.encode(text) for text in TEXTS]
    assert [each.tokens for each in read] == [len(ids) for ids in theirs]
    assert max(each.tokens for each in read) > encoder.longest == MAX_TOKENS
    assert [len(each.ids) for each in read] == encoder.count_tokens(TEXTS)
    assert (encoder.embed_tokens([each.ids for each in read]) == encoder.embed(TEXTS)).all()


def test_the_257th_token_is_not_seen(encoder: Encoder) -> None:
    start = "word " * (MAX_TOKENS - 2)
    cut, same, other = encoder.embed([start, start + "river", start[: -len("word ")] + "river"])
    assert cut @ same == pytest.approx(1, abs=1e-6)
    assert cut @ other < 0.9999


def test_nothing_in_nothing_out(encoder: Encoder) -> None:
    assert encoder.embed([]).shape == (0, 384)
    assert encoder.count_tokens([]) == []


@settings(deadline=None, max_examples=25)
@given(text=st.text(max_size=300), others=st.lists(st.sampled_from(TEXTS), max_size=3), place=st.integers(0, 3))
def test_a_vector_does_not_depend_on_the_batch(whole: Encoder, text: str, others: list[str], place: int) -> None:
    place = min(place, len(others))
    (alone,) = whole.embed([text])
    among = whole.embed([*others[:place], text, *others[place:]])[place]
    assert np.abs(alone - among).max() < 1e-5


def test_threads_do_not_disturb_each_other(whole: Encoder) -> None:
    alone = [whole.embed([text])[0] for text in TEXTS]
    wrong: list[str] = []

    def embed(number: int) -> None:
        for _ in range(5):
            if np.abs(whole.embed([TEXTS[number]])[0] - alone[number]).max() > 1e-5:
                wrong.append(TEXTS[number])

    threads = [threading.Thread(target=embed, args=(number,)) for number in range(len(TEXTS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_products_use_as_many_cores_as_asked() -> None:
    for threads in (2, 1):
        Encoder(threads=threads)
        used = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        assert used == {threads}
