"""The port to a language model: an engine continues token sequences, as many at once as come, in batches of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from services.generation.grammars import Grammars
from services.generation.hidden_tokens import HiddenTokens
from services.generation.messages import SamplingOptions
from services.generation.reasoning.marks import ReasoningMarks
from services.generation.tool_calls.reading import ToolReader
from shared.errors import InvalidRequest
from shared.methods import ABILITIES, Ability
from shared.records.evolution import Message
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs


class ContextFull(InvalidRequest):
    """The sequence fills the model's context, which is shorter than `ModelInfo.context_length` says."""


@dataclass(frozen=True)
class ModelInfo:
    """What an engine serves.

    `model` is the model's name, `engine` the engine's in the table of engines. `context_length` bounds prompt and
    response together, in tokens. `structured_output` says whether formats are followed, and `continues_formats` whether
    a response under one can be continued. Token ids lie in [0, `vocabulary_size`). `end_ids` are the end-of-sequence
    ids. `hidden_tokens` maps the text of each token that `decode` leaves out to its id. `tool_reader` reads calls of
    tools from responses; None where the model's template takes no tools, or nobody reads its calls. `cannot_obey` names
    fields of `SamplingOptions` that the engine cannot obey, and `cannot_continue` those under which it cannot continue
    a response. `token_bytes` gives the bytes of a token in a text, or the name of one that no text shows; None where
    the engine gives no log probabilities; `self_certainty` says whether it sees whole distributions, and so tells how
    certain the model is. `template_variables` are the names that the chat template reads from what a
    caller may give it. `continues` says whether a response, or the beginning of an answer, can be continued at all, and
    `raw_prompts` whether prompts need no chat template. `reasoning` are the marks of the model's thoughts; None where
    nobody looks for any.
    """

    model: str
    engine: str
    context_length: int
    structured_output: bool
    vocabulary_size: int
    end_ids: frozenset[int]
    hidden_tokens: HiddenTokens = field(default_factory=HiddenTokens)
    continues_formats: bool = False
    tool_reader: ToolReader | None = None
    token_bytes: Callable[[int], bytes] | None = None
    cannot_obey: frozenset[str] = frozenset()
    cannot_continue: frozenset[str] = frozenset()
    template_variables: frozenset[str] = frozenset()
    reasoning: ReasoningMarks | None = None
    continues: bool = True
    raw_prompts: bool = True
    self_certainty: bool = False

    @property
    def lacks(self) -> tuple[Ability, ...]:
        """What whole methods or routes need, and the engine cannot do."""
        return tuple(name for name in ABILITIES if not getattr(self, name))

    @property
    def tools(self) -> bool:
        """Whether responses may call tools."""
        return self.tool_reader is not None

    @property
    def logprobs(self) -> bool:
        """Whether log probabilities of tokens can be given."""
        return self.token_bytes is not None


@dataclass(frozen=True)
class Origin:
    """Whose sequence it is: the id of its evolution, and its own within that. Where there are several endpoints, the
    evolution's sequences may be spread over `spread` of them. Those of a lower `priority` are wanted earlier.
    """

    evolution: str = ""
    sequence: str = ""
    spread: int = 1
    priority: int = 0


NOBODY = Origin()


@dataclass(frozen=True)
class TokenSequence:
    """Token ids to continue by at most `max_new_tokens`; both together fit the context.

    With a `seed`, the token at a position depends on the seed, the position and the ids before it: a sequence that is
    continued under its seed goes on as if it had never stopped. What an engine caches of the ids may be used for
    sequences of the same `cache_salt` only, since the salt keeps tenants apart. The last `response_tokens` of the ids
    are the response so far, which penalties concern; those before are the prompt. A format concerns the last
    `formed_tokens` of the response and what follows; None: all of it.

    Where `progress` is given, an engine that can calls it on the event loop with the ids that it has sampled since the
    call before, and their log probabilities, as `Completion` holds them: after the first token, and every
    `PROGRESS_TOKENS` or fewer from there. The last ones it need not tell.

    `messages` are the conversation that the prompt's ids are of, for engines that are asked by chats; none where the
    prompt is raw. `origin` is whose sequence it is.
    """

    token_ids: tuple[int, ...]
    max_new_tokens: int
    sampling: SamplingOptions
    seed: int | None
    cache_salt: str = ""
    response_tokens: int = 0
    formed_tokens: int | None = None
    progress: "Progress | None" = field(default=None, compare=False, repr=False)
    messages: Sequence[Message] = field(default=(), compare=False, repr=False)
    origin: Origin = field(default=NOBODY, compare=False, repr=False)

    @property
    def prompt(self) -> tuple[int, ...]:
        """The ids before the response."""
        return self.token_ids[: len(self.token_ids) - self.response_tokens]

    @property
    def response(self) -> tuple[int, ...]:
        """The ids of the response so far."""
        return self.token_ids[len(self.token_ids) - self.response_tokens :]

    @property
    def formed(self) -> tuple[int, ...]:
        """The ids of the response that a format concerns."""
        tokens = self.response_tokens if self.formed_tokens is None else self.formed_tokens
        return self.token_ids[len(self.token_ids) - tokens :]


class Likelihoods(NamedTuple):
    """The natural log probability of a sampled token, and of the likeliest at its position: pairs of an id and a log
    probability, the likeliest first.

    `certainty` is the model's self-certainty there, in [0, inf): the Kullback-Leibler divergence of the uniform
    distribution over its V tokens from its own, -(1/V) sum_v log(V p_v) (Kang et al. 2025, arXiv 2502.18581). It is
    None where the engine does not see the whole distribution.
    """

    logprob: float
    top: tuple[tuple[int, float], ...]
    certainty: float | None = None


Progress = Callable[[Sequence[int], Sequence[Likelihoods]], None]
"""What is told of a sequence under way: ids, and their log probabilities where those were asked for."""

PROGRESS_TOKENS = 16
"""So often an engine tells how far a sequence is: rarely enough that it costs nothing beside the tokens."""


@dataclass(frozen=True)
class Completion:
    """Every id sampled, in order.

    The end-of-sequence id is included where it ended the sequence: the caller strips it, and tells by it that the
    response is complete. With `ignore_eos` it ends nothing, and is one id among the others. An engine may, but need
    not, stop early at a stop string; the ids then end with the token that completes the string, which the caller cuts
    from the text.

    `cached_tokens` of the given ids were not computed again. `queue_seconds` passed from the sequence's arrival to its
    first step, `first_token_seconds` from its arrival to its first token; None where the engine does not measure them.
    `unfinished` is True where fewer ids than requested came although the response has not ended, so that the caller
    continues it: that happens where text stands for ids, and text of n tokens may be fewer tokens here. `logprobs` are
    those of the `token_ids`, one each, where the sequence's sampling asks for them, or for self-certainty: of the
    model's own distribution, before temperature, formats and whatever else shapes sampling.

    Where ids merely stand for text, `counted` is how many tokens were sampled by whoever sampled them. All of the text
    is kept then, so that there may be more ids than were requested, and the response goes on unless an end-of-sequence
    id ends it. `prompt_tokens` is how many tokens the prompt has there, None where nobody says. `served_by` names the
    endpoint, where there are several.
    """

    token_ids: tuple[int, ...]
    cached_tokens: int
    queue_seconds: float | None = None
    first_token_seconds: float | None = None
    unfinished: bool = False
    logprobs: tuple[Likelihoods, ...] = ()
    counted: int | None = None
    prompt_tokens: int | None = None
    served_by: str = ""


class Engine(Protocol):
    """A model that decodes.

    All methods are called on the event loop and must not block it, but for `encode_chat`, `encode_raw` and `decode`:
    long prompts are encoded on threads, several at once, so these must be thread-safe. They and `complete` are called
    between `start` and `stop` only.
    """

    @property
    def info(self) -> ModelInfo:
        """What is served; raises Unavailable until the engine has started."""
        ...

    @property
    def grammars(self) -> Grammars | None:
        """Formats for this engine's tokenizer; None where formats are not followed here, but at most elsewhere."""
        ...

    @property
    def running(self) -> int:
        """How many sequences the engine holds, waiting ones included."""
        ...

    @property
    def waiting(self) -> int:
        """How many of the running sequences have not begun their first step, as far as the engine knows."""
        ...

    async def start(self) -> None:
        """Loads the model and returns once the engine can decode.

        Raises:
            Unsupported: the model cannot be served; the message says why, `field` is "model".
        """
        ...

    async def stop(self) -> None:
        """Frees everything; may be called while `start` is under way."""
        ...

    async def failed(self) -> str:
        """Waits until the started engine has ended by itself, which may be forever; then returns why it has.

        It must not return for any other reason: the process ends as soon as it does. An engine that cannot fail by
        itself awaits `shared.process.lifecycle.never`.
        """
        ...

    def encode_chat(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        """The token ids of a conversation in the model's chat template, generation prompt included. A last message of
        the assistant's is the beginning of the response, and what is decoded goes on from its text.

        Text in a message, a tool or an argument that spells a control token must stay text. Called from several threads
        at once.

        Raises:
            InvalidRequest: the model's template refuses the conversation.
            Unsupported: the template prints no tools, or no turns of tools, and there are some.
        """
        ...

    def encode_raw(self, text: str) -> tuple[int, ...]:
        """The token ids of a prompt that is continued as it stands: without a template, begun as the tokenizer begins
        a text. Control tokens that it spells are those tokens. Called from several threads at once."""
        ...

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        """The text of token ids, without special tokens or, if `special`, with them spelled out. Called from several
        threads at once."""
        ...

    async def complete(self, sequence: TokenSequence) -> Completion:
        """Continues one sequence. Cancelling the task frees what the sequence holds at once.

        Raises:
            InvalidRequest: the format cannot be followed.
            ContextFull: the sequence leaves no room in the context.
            Unavailable: the engine does not run.
        """
        ...
