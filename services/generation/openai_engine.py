"""Any OpenAI-compatible endpoint as the engine: a vLLM server, a router, a hosted model, a fleet behind one address."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from services.generation.chat_completions import chat_completion
from services.generation.checkpoint import Checkpoint, read_checkpoint
from services.generation.endpoint.capabilities import CHATS, COMPLETIONS
from services.generation.endpoint.chats import chat_fields
from services.generation.endpoint.client import Endpoint
from services.generation.endpoint.finish_reasons import FinishReasons
from services.generation.endpoint.hints import hints_of
from services.generation.endpoint.logprobs import read_likelihoods
from services.generation.endpoint.probing import find_model
from services.generation.endpoint.requests import completion_body
from services.generation.endpoint.responses import CompletionResponse
from services.generation.endpoint.retries import while_away, while_full
from services.generation.engine import Completion, ContextFull, Likelihoods, ModelInfo, TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.probed_endpoint import ProbedEndpoint, probe_endpoint
from services.generation.settings import GenerationSettings
from shared.errors import Internal, Unavailable
from shared.methods import IN_ONE_PIECE
from shared.process.lifecycle import never
from shared.records.evolution import Message
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.text.embedded_models import resolve

log = logging.getLogger(__name__)

_TRIAL = (Message("user", "Hello"),)


class OpenAIEngine:
    """Decodes at one endpoint. At most `max_running` sequences are requested at once; the others wait here.

    The tokenizer and the chat template are read here and no weights, so that torch is not needed.
    """

    def __init__(self, settings: GenerationSettings, endpoint: Endpoint) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._places = asyncio.Semaphore(settings.max_running)
        self._running = 0
        self._waiting = 0
        self._finish_reasons = FinishReasons()
        self._ready: ProbedEndpoint | None = None

    @property
    def info(self) -> ModelInfo:
        return self._known.info

    @property
    def grammars(self) -> None:
        return None

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return self._waiting

    async def start(self) -> None:
        """Returns once the endpoint responds, however long it is away.

        Raises:
            Unsupported: the endpoint cannot be served from as it is set up; the message names the setting.
        """
        folder, given = resolve(self._settings.model), self._settings.chat_template_arguments
        await self.begin(await asyncio.to_thread(read_checkpoint, folder, given))

    async def begin(self, checkpoint: Checkpoint) -> None:
        """As `start`, with what is known of the model."""
        served = await while_away(lambda: find_model(self._endpoint, self._settings.endpoint_model))
        self._ready = await probe_endpoint(self._endpoint, self._settings, checkpoint, served, while_away)
        self._log()

    async def stop(self) -> None:
        await self._endpoint.close()

    async def failed(self) -> str:
        # An endpoint that is away comes back; meanwhile calls are refused one by one.
        return await never()

    def encode_chat(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        chat = self._known.checkpoint.chat
        if self._known.capabilities.chat:
            # The endpoint puts them into its own template. These are counted, and the last of them begins the response.
            return tuple(token for each in messages for token in chat.encode_text(f"\n{each.content}"))
        return chat.encode_prompt(messages, inputs)

    def encode_raw(self, text: str) -> tuple[int, ...]:
        return self._known.checkpoint.chat.encode_raw(text)

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        return self._known.checkpoint.chat.decode(token_ids, special=special)

    async def look(self) -> None:
        """Asks the endpoint for one token; raises what `complete` raises where it does not respond."""
        asked = TokenSequence(self.encode_chat(_TRIAL), 1, SamplingOptions(temperature=1.0), None, messages=_TRIAL)
        await self.complete(asked, patient=False)

    async def complete(self, sequence: TokenSequence, *, patient: bool = True) -> Completion:
        """Waits while the endpoint is full, if it is `patient`."""
        known, shared = self._known, self._settings.endpoint_cache == "shared"
        path = CHATS if known.capabilities.chat else COMPLETIONS
        fields = completion_body(sequence, known.capabilities, shared)
        hints = hints_of(sequence, self._settings.hint_names)
        body = {"model": known.info.model, **self._asked(sequence), **fields, **hints.fields}

        def post() -> Awaitable[CompletionResponse]:
            return self._endpoint.post(path, CompletionResponse, body, hints.headers)

        arrived = time.perf_counter()
        async with self._place():
            waited_s = time.perf_counter() - arrived
            try:
                response = await (while_full(post) if patient else post())
            except ContextFull as full:
                log.warning("a sequence of %d tokens is taken as complete: %s", len(sequence.token_ids), full.message)
                raise
            if known.capabilities.chat:
                return chat_completion(known, self._finish_reasons, sequence, response)
            return self._completion(sequence, response, waited_s)

    def _log(self) -> None:
        capabilities = self._known.capabilities
        log.info("the endpoint serves %s, %s", self.info.model, capabilities)
        if capabilities.chat and not capabilities.continues:
            log.warning(
                "the endpoint continues no response: only methods that decode each in one piece (%s) are served; where "
                "it can, set DARWIN_GENERATION_ENDPOINT_CONTINUES to how",
                IN_ONE_PIECE,
            )
        if not (capabilities.counts_alike or capabilities.chat):
            log.warning(
                "the endpoint counts other tokens than the tokenizer of %s: set DARWIN_GENERATION_MODEL to what it "
                "serves, and let it put prompts into no template of its own",
                self._settings.model,
            )
        if "cache_salt" not in capabilities.fields and self._settings.endpoint_cache != "shared":
            log.warning(
                "the endpoint does not keep callers' caches apart: requests with an API key are refused, unless "
                "DARWIN_GENERATION_ENDPOINT_CACHE=shared"
            )

    @property
    def _known(self) -> ProbedEndpoint:
        if self._ready is None:
            raise Unavailable("the endpoint has not responded yet; come back later")
        return self._ready

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Holds one of the `max_running` places, for which it may wait."""
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

    def _asked(self, sequence: TokenSequence) -> dict[str, Any]:
        """What the request continues."""
        known = self._known
        if known.capabilities.chat:
            return chat_fields(sequence.messages, self.decode(sequence.response), known.capabilities.continuing)
        return {"prompt": sequence.token_ids if known.capabilities.takes_ids else known.text.prompt(sequence.token_ids)}

    def _completion(self, sequence: TokenSequence, response: CompletionResponse, waited_s: float) -> Completion:
        known, limit = self._known, sequence.max_new_tokens
        exact = known.capabilities.returns_ids
        ids = self._returned(response) if exact else self._tokenised(sequence, response)
        sampled = len(ids) if exact or response.completion_tokens is None else response.completion_tokens
        ending = self._finish_reasons.read(response.choices[0].finish_reason, sampled, limit)
        if ending == "lost":
            raise Unavailable("the endpoint has dropped the sequence; come back later")
        ended = ending == "ended"
        if not exact and len(ids) > limit:
            ids, ended = known.text.cut(ids, limit), False
        elif not exact and ended and len(ids) < limit and not self._stopped(sequence, response):
            ids = (*ids, min(self.info.end_ids))
        if len(ids) > limit or not all(0 <= token < self.info.vocabulary_size for token in ids):
            raise Internal("the endpoint returned ids that were not asked for, or of another vocabulary")
        # Where not even one token came, another request would bring none either.
        unfinished = not ended and 0 < len(ids) < limit
        logprobs = _likelihoods(response, ids, sequence.sampling.logprobs)
        times = _seconds(response, waited_s)
        return Completion(ids, response.cached_tokens, *times, unfinished=unfinished, logprobs=logprobs)

    def _returned(self, response: CompletionResponse) -> tuple[int, ...]:
        ids = response.choices[0].token_ids
        if ids is None:
            raise Internal("the endpoint returned no token ids, though it did when it was probed at start")
        return tuple(ids)

    def _tokenised(self, sequence: TokenSequence, response: CompletionResponse) -> tuple[int, ...]:
        text = response.choices[0].text
        if text is None:
            raise Internal("the endpoint's response holds no text")
        return self._known.text.added(sequence.token_ids, text)

    @staticmethod
    def _stopped(sequence: TokenSequence, response: CompletionResponse) -> bool:
        """Whether a stop string ended the text, and no end-of-sequence token did."""
        choice = response.choices[0]
        return isinstance(choice.stop_reason, str) or any(s in (choice.text or "") for s in sequence.sampling.stop)


def _likelihoods(response: CompletionResponse, ids: Sequence[int], wanted: int | None) -> tuple[Likelihoods, ...]:
    if wanted is None or not ids:
        return ()
    found = read_likelihoods(response.choices[0], ids, wanted)
    if found is None:
        raise Internal("the endpoint gave no log probabilities by token ids, though it did when it was probed at start")
    return found


def _seconds(response: CompletionResponse, waited_s: float) -> tuple[float | None, float | None]:
    """Seconds from arrival here to the first step and to the first token; None where the endpoint reports none."""
    metrics = response.metrics
    if metrics is None or metrics.queue_time_ms is None:
        return None, None
    queue_s = waited_s + metrics.queue_time_ms / 1000
    first_ms = metrics.time_to_first_token_ms
    return queue_s, None if first_ms is None else queue_s + first_ms / 1000
