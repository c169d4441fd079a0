"""Hugging Face `generate`, the portable engine: whatever waits runs as one left-padded batch."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from services.generation.checkpoint import Checkpoint, read_checkpoint
from services.generation.engine import PROGRESS_TOKENS, Completion, Likelihoods, ModelInfo, TokenSequence
from services.generation.grammars import Grammars, Matcher, Rows, available, of_tokenizer
from services.generation.hidden_tokens import hidden_tokens
from services.generation.logit_adjustments import Adjustments
from services.generation.reasoning.marks import find_reasoning_marks
from services.generation.response_text import Decode, Reader, stops_of
from services.generation.settings import GenerationSettings
from services.generation.token_logprobs import TokenBytes
from services.generation.token_sampling import TokenSampler, likelihoods, uniform
from services.generation.tool_calls.detection import find_tool_reader
from services.generation.weights import load_model
from shared.errors import Unavailable
from shared.process.lifecycle import never
from shared.records.evolution import Message
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.text.embedded_models import resolve


@dataclass(eq=False)
class _Row:
    """A waiting or running sequence; `cancelled` ends it at its next token. `logprobs` grows with each token where the
    sequence asks for them. So many of its tokens were `told` as progress."""

    sequence: TokenSequence
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Completion]
    cancelled: threading.Event = field(default_factory=threading.Event)
    arrived_at: float = field(default_factory=time.perf_counter)
    begun_at: float = 0.0
    first_token_at: float = 0.0
    logprobs: list[Likelihoods] = field(default_factory=list)
    told: int = 0

    def tell(self, token_ids: Sequence[int]) -> None:
        """Tells what is new of the sampled ids, where that is wanted and there is enough of it."""
        progress, new = self.sequence.progress, token_ids[self.told :]
        if progress is not None and new and (not self.told or len(new) >= PROGRESS_TOKENS):
            self.loop.call_soon_threadsafe(progress, new, self.logprobs[self.told : len(token_ids)])
            self.told = len(token_ids)

    def deliver(self, token_ids: tuple[int, ...]) -> None:
        since, logprobs = self.arrived_at, tuple(self.logprobs)
        completion = Completion(token_ids, 0, self.begun_at - since, self.first_token_at - since, logprobs=logprobs)
        self.loop.call_soon_threadsafe(lambda: None if self.done.done() else self.done.set_result(completion))

    def fail(self, error: Exception) -> None:
        self.loop.call_soon_threadsafe(lambda: None if self.done.done() else self.done.set_exception(error))


class TransformersEngine:
    """One model, on the GPU where there is one, else on the CPU; a thread of its own runs one batch after another."""

    def __init__(self, settings: GenerationSettings) -> None:
        self._settings = settings
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._waiting: list[_Row] = []
        self._lock = threading.Lock()
        self._busy = False
        self._running = 0
        self._model: Any = None
        self._checkpoint: Checkpoint | None = None
        self._info: ModelInfo | None = None
        self._grammars: Grammars | None = None

    @property
    def info(self) -> ModelInfo:
        if self._info is None:
            raise Unavailable("the language model is not loaded yet; come back later")
        return self._info

    @property
    def grammars(self) -> Grammars | None:
        return self._grammars

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def start(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load)

    async def stop(self) -> None:
        with self._lock:
            for row in self._waiting:
                row.cancelled.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def failed(self) -> str:
        return await never()

    def encode_chat(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        assert self._checkpoint is not None
        return self._checkpoint.chat.encode_prompt(messages, inputs)

    def encode_raw(self, text: str) -> tuple[int, ...]:
        assert self._checkpoint is not None
        return self._checkpoint.chat.encode_raw(text)

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        assert self._checkpoint is not None
        return self._checkpoint.chat.decode(token_ids, special=special)

    async def complete(self, sequence: TokenSequence) -> Completion:
        loop = asyncio.get_running_loop()
        row = _Row(sequence, loop, loop.create_future())
        self._running += 1
        try:
            with self._lock:
                self._waiting.append(row)
                if not self._busy:
                    self._busy = True
                    # Sequences of one call arrive within one turn of the loop; they share the first batch.
                    loop.call_soon(self._thread.submit, self._work)
            return await row.done
        finally:
            row.cancelled.set()
            self._running -= 1

    def _load(self) -> None:
        settings, model = self._settings, resolve(self._settings.model)
        self._checkpoint = checkpoint = read_checkpoint(model, settings.chat_template_arguments)
        # On a GPU, weights go there one by one, and never need the host's memory all together.
        placed = {"device_map": self._device} if self._device != "cpu" else {}
        dtype = getattr(torch, checkpoint.dtype(settings.dtype, self._device))
        self._model = load_model(model, checkpoint, dtype=dtype, **placed)
        self._model.eval()
        # The caller says how to sample. The checkpoint's own generation settings, such as penalties, would come on top.
        self._model.generation_config = _generation_config()
        self._info = ModelInfo(
            settings.model,
            "transformers",
            checkpoint.context(settings.max_model_len),
            available(),
            checkpoint.vocabulary,
            checkpoint.eos_ids,
            hidden := hidden_tokens(checkpoint.tokenizer, checkpoint.vocabulary),
            continues_formats=available(),
            tool_reader=find_tool_reader(checkpoint.chat, checkpoint.tokenizer, hidden, settings.tool_parser),
            token_bytes=TokenBytes(checkpoint.tokenizer),
            template_variables=checkpoint.chat.template.variables,
            reasoning=find_reasoning_marks(checkpoint.chat, checkpoint.tokenizer, settings.reasoning_parser),
            self_certainty=True,
        )
        if available():
            self._grammars = of_tokenizer(checkpoint.tokenizer, checkpoint.vocabulary, checkpoint.eos_ids)

    def _work(self) -> None:
        while rows := self._next_batch():
            try:
                self._run(rows)
            except Exception as error:
                for row in rows:
                    row.fail(error)

    def _next_batch(self) -> list[_Row]:
        with self._lock:
            self._waiting = [row for row in self._waiting if not row.cancelled.is_set()]
            if not self._waiting:
                self._busy = False
                return []
            limit = self._settings.max_running
            batch, self._waiting = self._waiting[:limit], self._waiting[limit:]
            return batch

    @torch.inference_mode()
    def _run(self, rows: list[_Row]) -> None:
        for row in rows:
            row.begun_at = time.perf_counter()
        given = [torch.tensor(row.sequence.token_ids) for row in rows]
        ids = pad_sequence(given, batch_first=True, padding_side="left")
        mask = pad_sequence([torch.ones_like(each) for each in given], batch_first=True, padding_side="left")
        longest = ids.shape[1]
        goes_on = any(row.sequence.sampling.ignore_eos for row in rows)
        self._model.generate(
            input_ids=ids.to(self._device),
            attention_mask=mask.to(self._device),
            generation_config=_generation_config(
                max_new_tokens=max(row.sequence.max_new_tokens for row in rows),
                # Elsewhere `_RowEnds` alone ends the rows; this fills those that have ended.
                eos_token_id=None if goes_on else sorted(self.info.end_ids),
                pad_token_id=0,
                do_sample=False,  # which takes the one token that the processor leaves
            ),
            logits_processor=LogitsProcessorList([_RowDraws(rows, longest, self._device, self._formats(rows))]),
            stopping_criteria=StoppingCriteriaList([_RowEnds(rows, longest, self.info, self.decode)]),
        )

    def _formats(self, rows: list[_Row]) -> dict[int, Matcher]:
        """For each row with a format, a matcher that has followed the response so far."""
        matchers = {}
        for place, row in enumerate(rows):
            wanted = row.sequence.sampling.format
            if wanted is not None and self._grammars is not None:
                matchers[place] = self._grammars.matcher(wanted)
                matchers[place].accept(row.sequence.formed)
        return matchers


def _generation_config(**options: Any) -> Any:
    return GenerationConfig(**options)


class _RowDraws(LogitsProcessor):  # type: ignore[misc]
    """Draws each row's token, and leaves nothing else to take."""

    def __init__(self, rows: list[_Row], start: int, device: str, matchers: dict[int, Matcher]) -> None:
        self._rows = rows
        self._matchers = matchers
        self._start = start
        self._draws = TokenSampler([row.sequence.sampling for row in rows], device)
        self._adjustments = Adjustments([row.sequence for row in rows], device)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        sampled = input_ids.shape[1] - self._start
        sequences = [row.sequence for row in self._rows]
        numbers = [uniform(sequence.seed, len(sequence.token_ids) + sampled) for sequence in sequences]
        raw = scores
        scores = self._adjustments(scores, input_ids[:, self._start :])
        if self._matchers:
            scores = self._allowed(input_ids[:, self._start :], scores)
        tokens = self._draws.tokens(scores, numbers)
        alternatives = [sequence.sampling.alternatives for sequence in sequences]
        if any(count is not None for count in alternatives):
            found = likelihoods(raw, tokens, alternatives)
            for row, each in zip(self._rows, found, strict=True):
                row.logprobs += each
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens.unsqueeze(1), 0.0)

    def _allowed(self, sampled: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores, -inf where the rows' formats do not allow the token."""
        if sampled.shape[1]:
            for place, last in zip(self._matchers, sampled[list(self._matchers), -1].tolist(), strict=True):
                self._matchers[place].accept([last])
        allowed = Rows(list(self._matchers.values())).allowed(scores.shape[1])
        places = torch.tensor(list(self._matchers), device=scores.device)
        blocked = torch.from_numpy(~allowed).to(scores.device)
        return scores.index_copy(0, places, scores[places].masked_fill(blocked, -torch.inf))


class _RowEnds(StoppingCriteria):  # type: ignore[misc]
    """Ends each row by itself (its limit, end of sequence, stop string, cancel) and delivers it at that moment."""

    def __init__(self, rows: list[_Row], start: int, info: ModelInfo, decode: Decode) -> None:
        self._rows = rows
        self._start = start
        self._end_ids = info.end_ids
        self._readers = [Reader(decode, stops_of(row.sequence.sampling.stop, info.hidden_tokens)) for row in rows]
        self._ended = [False] * len(rows)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor | None, **options: Any) -> torch.Tensor:
        for i, sampled in enumerate(input_ids[:, self._start :].tolist()):
            if not self._ended[i]:
                self._ended[i] = self._check(self._rows[i], self._readers[i], sampled)
        return torch.tensor(self._ended, device=input_ids.device)

    def _check(self, row: _Row, reader: Reader, sampled: list[int]) -> bool:
        row.first_token_at = row.first_token_at or time.perf_counter()
        if row.cancelled.is_set():
            return True
        full = len(sampled) >= row.sequence.max_new_tokens
        over = sampled[-1] in self._end_ids and not row.sequence.sampling.ignore_eos
        ended = full or over or reader.stop(sampled, len(sampled)) is not None
        if ended:
            row.deliver(tuple(sampled))
        else:
            row.tell(sampled)
        return ended
