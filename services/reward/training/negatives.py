"""What a head must learn to rank low although no data set shows it: the language model's own incoherent samples.

Decoding meets such text whenever sampling goes astray, and a head that never saw any may prefer it to good prose. So
the embedded model is sampled at high temperature, and each sample is rejected against its row's chosen response. A
sample names its row by digest, so that a file of samples holds nothing of the data.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM

from services.reward.quality import encode_prompt
from services.reward.runtime import Runtime, configure_torch
from services.reward.training.data import TEST, TRAIN, TrainingPair
from shared.errors import InvalidRequest, NotFound
from shared.files.rows import UnreadableRow, rows
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from shared.text.tokenizers import load_tokenizer

SOURCE = "gibberish"
TEMPERATURES = (1.4, 1.5, 1.6, 1.7, 1.8)
TOP_K = (0, 50)
"""Each row is sampled from the whole vocabulary (0), which gives noise, and from the likeliest tokens: prose adrift."""

HELD_OUT_SHARE = 0.25
"""Samples for held-out prompts, the control, for each one that trains."""

_BATCH = 16
_PROMPT_TOKENS = 256
_NEW_TOKENS = 64


@dataclass(frozen=True)
class GibberishSample:
    """A response sampled at `temperature` among `top_k` tokens, to the prompt of the row with digest `row`
    (`TrainingPair.id`)."""

    row: str
    temperature: float
    top_k: int
    text: str


def choose_rows(pairs: Sequence[TrainingPair], count: int, seed: int) -> list[TrainingPair]:
    """Up to `count` training rows and `HELD_OUT_SHARE` as many held-out ones, each prompt once, drawn by `seed`."""
    chosen = []
    for split, wanted in ((TRAIN, count), (TEST, round(count * HELD_OUT_SHARE))):
        by_prompt = {pair.conversation.digest: pair for pair in pairs if pair.split == split}
        rows = sorted(by_prompt.values(), key=lambda pair: pair.id)
        chosen += random.Random(seed).sample(rows, min(wanted, len(rows)))
    return chosen


class Sampler:
    """The embedded language model on the CPU, sampling a batch of rows at a time."""

    def __init__(self, runtime: Runtime) -> None:
        dtype, folder = configure_torch(runtime), resolve(EMBEDDED_LLM)
        self._tokenizer = load_tokenizer(folder)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        self._model.train(False)

    def samples(
        self, rows: Sequence[TrainingPair], seed: int, advance: Callable[[int], None]
    ) -> Iterator[GibberishSample]:
        """One per row and `TOP_K`, but for blank ones; equal seeds give equal samples on equal machines.

        `advance` is called after each batch with its number of rows.
        """
        chat = ChatTokenizer(self._tokenizer)
        prompts = [(encode_prompt(chat, row.conversation, _PROMPT_TOKENS), row) for row in rows]
        prompts.sort(key=lambda prompt: (len(prompt[0]), prompt[1].id))
        for top_k, (number, start) in product(TOP_K, enumerate(range(0, len(prompts), _BATCH))):
            batch = prompts[start : start + _BATCH]
            temperature = TEMPERATURES[number % len(TEMPERATURES)]
            torch.manual_seed(seed + number)
            texts = self._decode([ids for ids, _ in batch], temperature, top_k)
            for (_, row), text in zip(batch, texts, strict=True):
                if text.strip():
                    yield GibberishSample(row.id, temperature, top_k, text)
            advance(len(batch))

    def answers(self, rows: Sequence[TrainingPair], seed: int) -> list[str]:
        """The model's plain answer to each row's prompt, at a temperature of 1."""
        chat, texts = ChatTokenizer(self._tokenizer), list[str]()
        torch.manual_seed(seed)
        for start in range(0, len(rows), _BATCH):
            batch = [encode_prompt(chat, row.conversation, _PROMPT_TOKENS) for row in rows[start : start + _BATCH]]
            texts += self._decode(batch, 1.0, 0)
        return texts

    @torch.inference_mode()
    def _decode(self, prompts: Sequence[tuple[int, ...]], temperature: float, top_k: int) -> list[str]:
        rows = [torch.tensor(prompt) for prompt in prompts]
        ids = pad_sequence(rows, batch_first=True, padding_side="left")
        mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True, padding_side="left")
        sampled = self._model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=_NEW_TOKENS,
            do_sample=True,
            temperature=temperature,
            top_p=1.0,
            top_k=top_k,
            pad_token_id=self._tokenizer.eos_token_id,
        )
        texts: list[str] = self._tokenizer.batch_decode(sampled[:, ids.shape[1] :], skip_special_tokens=True)
        return texts


def write_samples(file: Path, samples: Sequence[GibberishSample]) -> None:
    """One JSON object a line."""
    file.write_text("".join(json.dumps(asdict(sample), ensure_ascii=False) + "\n" for sample in samples), "utf-8")


def read_samples(file: Path) -> list[GibberishSample]:
    """What `write_samples` wrote; raises NotFound, or InvalidRequest that names file and line."""
    if not file.is_file():
        raise NotFound(f"no such file: {file}")
    samples = []
    for row in rows(file):
        try:
            samples.append(GibberishSample(**row.value))
        except UnreadableRow as error:
            raise InvalidRequest(str(error)) from error
        except TypeError as error:
            raise InvalidRequest(f"{row.where}: not a sample: {error}") from error
    return samples


def paired(pairs: Sequence[TrainingPair], samples: Sequence[GibberishSample]) -> list[TrainingPair]:
    """Each sample as rejected against its row's chosen response, on that row's side of the split, from `SOURCE`.

    Raises:
        InvalidRequest: a sample's row is not among `pairs`.
    """
    rows = {pair.id: pair for pair in pairs}
    lost = [sample.row for sample in samples if sample.row not in rows]
    if lost:
        raise InvalidRequest(f"{len(lost)} of {len(samples)} samples belong to rows that the data lacks ({lost[0]})")
    return [
        TrainingPair(row.conversation, row.chosen, sample.text, SOURCE, row.split)
        for sample in samples
        if (row := rows[sample.row])
    ]
