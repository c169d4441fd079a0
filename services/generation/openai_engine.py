"""Any OpenAI-compatible completions endpoint as the engine: a vLLM server, a router, a fleet behind one address."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from services.generation.checkpoint import Checkpoint, read_checkpoint
from services.generation.endpoint.capabilities import (
    COMPLETIONS,
    Capabilities,
    ProbePrompt,
    Retrying,
    find_model,
    once,
    probe,
)
from services.generation.endpoint.client import Endpoint
from services.generation.endpoint.finish_reasons import FinishReasons
from services.generation.endpoint.requests import completion_body
from services.generation.endpoint.responses import CompletionResponse, ServedModel
from services.generation.endpoint.retries import while_away, while_full
from services.generation.endpoint.token_text import TokenText
from services.generation.endpoint.url import check_private
from services.generation.engine import Completion, ContextFull, ModelInfo, TokenSequence
from services.generation.response_text import hidden_tokens
from services.generation.settings import GenerationSettings
from shared.errors import Internal, Unavailable
from shared.process.certificates import Certificates
from shared.process.lifecycle import never
from shared.records.evolution import Message
from shared.text.embedded_models import resolve

log = logging.getLogger(__name__)

# Of several scripts, so that another tokenizer would make another number of tokens of it.
_GREETING = (Message("user", "Hello! Zwölf größere Übungen, 十二个练习 and 1,024 unbelievably small ones: {x → ½}?"),)


@dataclass(frozen=True)
class ProbedEndpoint:
    """What is known once the endpoint has answered."""

    checkpoint: Checkpoint
    text: TokenText
    abilities: Capabilities
    info: ModelInfo


class OpenAIEngine:
    """One endpoint; of the sequences held, `max_running` are asked for at once and the others wait here.

    The tokenizer and chat template are read here, no weights: torch is not needed.
    """

    def __init__(self, settings: GenerationSettings, endpoint: Endpoint) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._places = asyncio.Semaphore(settings.max_running)
        self._running = 0
        self._waiting = 0
        self._endings = FinishReasons()
        self._ready: ProbedEndpoint | None = None

    @property
    def info(self) -> ModelInfo:
        return self._known.info

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return self._waiting

    async def start(self) -> None:
        """Returns once the endpoint answers, however long it is away.

        Raises:
            Unsupported: it is not set up so that it could serve; the message names the setting.
        """
        checkpoint = await asyncio.to_thread(read_checkpoint, resolve(self._settings.model))
        served = await while_away(lambda: find_model(self._endpoint, self._settings.endpoint_model))
        self._ready = await probe_endpoint(self._endpoint, self._settings, checkpoint, served, while_away)
        self._log()

    async def stop(self) -> None:
        await self._endpoint.close()

    async def failed(self) -> str:
        # An endpoint that is away comes back; meanwhile calls are refused one by one.
        return await never()

    def encode_chat(self, messages: Sequence[Message], now: float = 0.0) -> tuple[int, ...]:
        return self._known.checkpoint.chat.encode_chat(messages, now=now)

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        return self._known.checkpoint.chat.decode(token_ids, special=special)

    async def complete(self, sequence: TokenSequence) -> Completion:
        known = self._known
        prompt = sequence.token_ids if known.abilities.takes_ids else known.text.prompt(sequence.token_ids)
        body = {"model": known.info.model, "prompt": prompt, **self._fields(sequence)}
        arrived = time.perf_counter()
        async with self._place():
            waited_s = time.perf_counter() - arrived
            try:
                answer = await while_full(lambda: self._endpoint.post(COMPLETIONS, CompletionResponse, body))
            except ContextFull as full:
                log.warning("a sequence of %d tokens is taken as complete: %s", len(sequence.token_ids), full.message)
                raise
            return self._completion(sequence, answer, waited_s)

    def _log(self) -> None:
        abilities = self._known.abilities
        log.info("the endpoint serves %s, %s", self.info.model, abilities)
        if not abilities.counts_alike:
            log.warning(
                "the endpoint counts other tokens than the tokenizer of %s: set DARWIN_GENERATION_MODEL to what it "
                "serves, and let it put prompts into no template of its own",
                self._settings.model,
            )
        if "cache_salt" not in abilities.fields and self._settings.endpoint_cache != "shared":
            log.warning(
                "the endpoint does not keep callers' caches apart: requests with an API key are refused, unless "
                "DARWIN_GENERATION_ENDPOINT_CACHE=shared"
            )

    @property
    def _known(self) -> ProbedEndpoint:
        if self._ready is None:
            raise Unavailable("the endpoint has not answered yet; come back later")
        return self._ready

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """A place among the sequences asked for at once."""
        self._running += 1
        try:
            self._waiting += 1
            try:
                await self._places.acquire()
            finally:
                self._waiting -= 1
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._running -= 1

    def _fields(self, sequence: TokenSequence) -> dict[str, Any]:
        return completion_body(sequence, self._known.abilities, self._settings.endpoint_cache == "shared")

    def _completion(self, sequence: TokenSequence, answer: CompletionResponse, waited_s: float) -> Completion:
        known, limit = self._known, sequence.max_new_tokens
        exact = known.abilities.returns_ids
        ids = self._returned(answer) if exact else self._tokenised(sequence, answer)
        sampled = len(ids) if exact or answer.completion_tokens is None else answer.completion_tokens
        ending = self._endings.read(answer.choices[0].finish_reason, sampled, limit)
        if ending == "lost":
            raise Unavailable("the endpoint has dropped the sequence; come back later")
        ended = ending == "ended"
        if not exact and len(ids) > limit:
            ids, ended = known.text.cut(ids, limit), False
        elif not exact and ended and len(ids) < limit and not self._stopped(sequence, answer):
            ids = (*ids, min(self.info.end_ids))
        if len(ids) > limit or not all(0 <= token < self.info.vocabulary_size for token in ids):
            raise Internal("the endpoint returned ids that were not asked for, or of another vocabulary")
        # Where not even one token came, asking again would lead nowhere.
        unfinished = not ended and 0 < len(ids) < limit
        return Completion(ids, answer.cached_tokens, *_seconds(answer, waited_s), unfinished=unfinished)

    def _returned(self, answer: CompletionResponse) -> tuple[int, ...]:
        ids = answer.choices[0].token_ids
        if ids is None:
            raise Internal("the endpoint returned no token ids, though it did when it was asked at start")
        return tuple(ids)

    def _tokenised(self, sequence: TokenSequence, answer: CompletionResponse) -> tuple[int, ...]:
        text = answer.choices[0].text
        if text is None:
            raise Internal("the endpoint's answer holds no text")
        return self._known.text.added(sequence.token_ids, text)

    @staticmethod
    def _stopped(sequence: TokenSequence, answer: CompletionResponse) -> bool:
        """Whether a stop string ended the text, and no end-of-sequence token did."""
        choice = answer.choices[0]
        return isinstance(choice.stop_reason, str) or any(s in (choice.text or "") for s in sequence.sampling.stop)


def build_endpoint(settings: GenerationSettings) -> Endpoint:
    """The endpoint that `settings` name, with a connection for each sequence asked for at once.

    Raises:
        SettingsError: prompts would leave this machine in plain text.
    """
    check_private(settings.endpoint, Certificates().allow_plaintext)
    key = settings.endpoint_key.get_secret_value() if settings.endpoint_key else None
    return Endpoint(settings.endpoint, key, settings.max_running)


async def probe_endpoint(
    endpoint: Endpoint,
    settings: GenerationSettings,
    checkpoint: Checkpoint,
    served: ServedModel,
    waiting: Retrying = once,
) -> ProbedEndpoint:
    """Asks the endpoint what it can do; raises as `probe` does."""
    text = TokenText(checkpoint.tokenizer, checkpoint.chat.control_ids)
    ids = checkpoint.chat.encode_chat(_GREETING)
    spelled = text.prompt(ids)
    prompt = ProbePrompt(ids, spelled, text.tokens(spelled))
    abilities = await probe(endpoint, served.id, prompt, settings.endpoint_tokens, settings.trusted_fields, waiting)
    lengths = (settings.max_model_len, checkpoint.context_length, served.max_model_len)
    context = min(length for length in lengths if length is not None)
    structured = "response_format" in abilities.fields
    hidden = hidden_tokens(checkpoint.tokenizer, checkpoint.vocabulary)
    info = ModelInfo(served.id, "openai", context, structured, checkpoint.vocabulary, checkpoint.eos_ids, hidden)
    return ProbedEndpoint(checkpoint, text, abilities, info)


def _seconds(answer: CompletionResponse, waited_s: float) -> tuple[float | None, float | None]:
    """Until the first step and until the first token; None where the endpoint does not say."""
    metrics = answer.metrics
    if metrics is None or metrics.queue_time_ms is None:
        return None, None
    queue_s = waited_s + metrics.queue_time_ms / 1000
    first_ms = metrics.time_to_first_token_ms
    return queue_s, None if first_ms is None else queue_s + first_ms / 1000
