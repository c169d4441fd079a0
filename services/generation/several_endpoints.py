"""Several endpoints as one engine: each search stays at one, or is spread; where one fails, others do its work."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace

from services.generation.checkpoint import Checkpoint, read_checkpoint
from services.generation.endpoint.several import Choice, NamedEndpoint
from services.generation.engine import Completion, ModelInfo, TokenSequence
from services.generation.openai_engine import OpenAIEngine
from services.generation.settings import GenerationSettings
from shared.errors import DarwinError, Internal, Overloaded, Unavailable, Unsupported
from shared.process.lifecycle import never
from shared.records.evolution import Message
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.text.embedded_models import resolve

log = logging.getLogger(__name__)

# After the first endpoint has responded, the others have so long until the service begins without them.
_GRACE_S = 5.0
# Between two looks at an endpoint that has failed.
_FIRST_LOOK_S, _LONGEST_LOOK_S = 1.0, 30.0


class SeveralEndpoints:
    """Decodes at several endpoints, each an engine of its own. Ids are always those of our tokenizer, so that each can
    continue what another has decoded: by text, or by ids where it counts tokens as our tokenizer does.
    """

    def __init__(self, settings: GenerationSettings, engines: dict[NamedEndpoint, OpenAIEngine]) -> None:
        self._model = settings.model
        self._engines = {each.name: engine for each, engine in engines.items()}
        self._choice = Choice(list(engines))
        self._up: set[str] = set()
        self._known: dict[str, ModelInfo] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def info(self) -> ModelInfo:
        """What all endpoints serve that have responded so far."""
        if not self._known:
            raise Unavailable("no endpoint has responded yet; come back later")
        return _common(tuple(self._known.values()))

    @property
    def grammars(self) -> None:
        return None

    @property
    def running(self) -> int:
        return sum(engine.running for engine in self._engines.values())

    @property
    def waiting(self) -> int:
        return sum(engine.waiting for engine in self._engines.values())

    @property
    def up(self) -> frozenset[str]:
        """The names of the endpoints that have not failed since they last responded."""
        return frozenset(self._up)

    async def start(self) -> None:
        """Returns once an endpoint responds, and the others have had a while to; they join when they do.

        Raises:
            Unsupported: one of them cannot be served from as it is set up; the message names it and the setting.
        """
        checkpoint = await asyncio.to_thread(read_checkpoint, resolve(self._model))
        waiting = {self._begin(self._join(name, checkpoint)) for name in self._engines}
        while waiting and not self._up:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            _check(done)
        if waiting:
            done, waiting = await asyncio.wait(waiting, timeout=_GRACE_S)
            _check(done)
        for late in waiting:
            late.add_done_callback(_log_refusal)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for engine in self._engines.values():
            await engine.stop()

    async def failed(self) -> str:
        return await never()

    def encode_chat(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        return self._first().encode_chat(messages, inputs)

    def encode_raw(self, text: str) -> tuple[int, ...]:
        return self._first().encode_raw(text)

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        return self._first().decode(token_ids, special=special)

    async def complete(self, sequence: TokenSequence) -> Completion:
        """Raises what the last endpoint that was tried has raised."""
        origin = sequence.origin
        number = int(origin.sequence) if origin.sequence.isdecimal() else -1
        ranked = self._choice.ranked(origin.evolution, number, origin.spread, self._up)
        # Where all have failed, one is tried nevertheless: it may be back.
        tried = [name for name in ranked if name in self._up] or [name for name in ranked if name in self._known][:1]
        full: str | None = None
        for name in tried:
            try:
                return await self._complete(name, sequence, patient=len(tried) == 1)
            except Overloaded:
                if len(tried) == 1:
                    raise
                full = full or name
            except DarwinError as error:
                if not self._fails(name, error) or (name == tried[-1] and full is None):
                    raise
        if full is None:
            raise Unavailable("no endpoint responds; come back later")
        return await self._complete(full, sequence, patient=True)

    async def _complete(self, name: str, sequence: TokenSequence, patient: bool) -> Completion:
        return replace(await self._engines[name].complete(sequence, patient=patient), served_by=name)

    def _fails(self, name: str, error: DarwinError) -> bool:
        """Whether an error is the endpoint's, and not the request's; then it is left out until it responds again. That
        a deadline has passed says nothing of it: searches have deadlines of their own.
        """
        failed = isinstance(error, Unavailable | Internal | Unsupported) and error.field is None
        if failed and name in self._up:
            self._up.discard(name)
            log.warning("endpoint %s is left out: %s", name, error.message)
            self._begin(self._watch(name))
        return failed

    async def _join(self, name: str, checkpoint: Checkpoint) -> None:
        engine = self._engines[name]
        try:
            await engine.begin(checkpoint)
        except DarwinError as error:
            raise type(error)(f"endpoint {name}: {error.message}") from error
        self._known[name] = engine.info
        self._up.add(name)
        log.info("endpoint %s responds", name)

    async def _watch(self, name: str) -> None:
        """Asks an endpoint that has failed for a token, again and again, until it responds."""
        wait_s = _FIRST_LOOK_S
        while True:
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_LOOK_S)
            with suppress(DarwinError):
                await self._engines[name].look()
                break
        self._up.add(name)
        log.warning("endpoint %s is back", name)

    def _first(self) -> OpenAIEngine:
        """One that puts conversations into our template, where there is one: the others need none of ours."""
        known = [self._engines[name] for name in self._engines if name in self._known]
        if not known:
            raise Unavailable("no endpoint has responded yet; come back later")
        return next((engine for engine in known if engine.info.raw_prompts), known[0])

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _check(done: set[asyncio.Task[None]]) -> None:
    for task in done:
        task.result()


def _log_refusal(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("%s; it is left out until this service starts again", error)


def _common(infos: tuple[ModelInfo, ...]) -> ModelInfo:
    """What all of several endpoints can do."""
    first = infos[0]
    return replace(
        first,
        model=", ".join(dict.fromkeys(info.model for info in infos)),
        context_length=min(info.context_length for info in infos),
        structured_output=all(info.structured_output for info in infos),
        tool_reader=first.tool_reader if all(info.tools for info in infos) else None,
        token_bytes=first.token_bytes if all(info.logprobs for info in infos) else None,
        cannot_obey=frozenset().union(*(info.cannot_obey for info in infos)),
        cannot_continue=frozenset().union(*(info.cannot_continue for info in infos)),
        template_variables=frozenset.intersection(*(info.template_variables for info in infos)),
        continues=all(info.continues for info in infos),
        raw_prompts=all(info.raw_prompts for info in infos),
    )
