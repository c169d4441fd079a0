"""An evolution as gateway and orchestrator both read and write it: what was asked for, the record, and the answer.

Plain frozen dataclasses, so that the pure core can use them; `shared.store` turns them into JSON and back. Words are
those of the paper (arXiv 2406.15193): archive, mutant, state, population, round, cycle, survivor.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from shared.methods import Method
from shared.records.efforts import Effort
from shared.records.formats import ResponseFormat
from shared.records.logprobs import TokenLogprobs
from shared.records.search import Search
from shared.records.spending import Prices
from shared.records.tools import ToolCall, ToolUse

Role = Literal["system", "user", "assistant", "tool"]
Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
FinishReason = Literal["stop", "length"]
ServiceTier = Literal["priority", "default", "flex"]
StoppedBy = Literal["max_generated_tokens", "max_reward_calls", "deadline_ms", "gain_unlikely", "error", "cancelled"]
Fallback = Literal["reward_abstained", "empty", "form_broken", "requirement_broken"]
MutantSource = Literal["model", "template", "parent", "original"]

TERMINAL: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Message:
    """One chat message. An assistant's may hold calls and the `reasoning` that led to it, and a tool's is the result of
    the call that it names.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    reasoning: str = ""


@dataclass(frozen=True)
class Sampling:
    """How a response is decoded; `format` is what its text must be, None for anything. With `logprobs` the log
    probability of each token is recorded, and those of so many of the likeliest in its place.

    Presence and frequency penalties count the tokens of the response, the repetition penalty those of the prompt too;
    `logit_bias` is by token id. With `ignore_eos` a response goes on past the tokens that would end it.
    """

    max_tokens: int
    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = 40
    stop: tuple[str, ...] = ()
    format: ResponseFormat | None = None
    logprobs: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: dict[int, float] = field(default_factory=dict)
    min_p: float = 0.0
    ignore_eos: bool = False


@dataclass(frozen=True)
class ResponseOptions:
    """What OpenAI's Responses API asked for beyond the search.

    The last `inputs` messages are the call's own input; those before it come from `previous`, the id of the response
    that it goes on from. With `instructions` the first message holds them. Only what is `stored` is read back.
    `format_name` is the caller's name for the JSON schema of the answer.
    """

    inputs: int
    instructions: str | None = None
    previous: str | None = None
    background: bool = False
    stored: bool = True
    max_output_tokens: int | None = None
    format_name: str | None = None


@dataclass(frozen=True)
class RawPrompt:
    """Says that a prompt is continued as it stands, without a chat template, and so is never rewritten.

    The only message holds its text. Where the caller gave `token_ids`, these are what is continued; the message holds
    them as numbers until the first round has read their text.
    """

    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class EvolutionRequest:
    """Everything that determines an evolution, frozen at acceptance.

    Which of `messages` is the instruction, `shared.records.turns` says. `seeded` says that the caller chose `seed`, so
    sampling follows it too. A `profile` is name@version of `profile_owner`, a tenant, or empty where all may use it;
    without an owner it is a file of the reward service's, and empty its default. Where a canary, whose id
    `profile_canary` is, had a part in it, the version was drawn. `tenant`, empty where no keys are asked for, alone may
    see the evolution, and its calls share caches with nobody else's. A chat template that prints the date prints that
    of `accepted_at`, in Unix seconds, in every round. `warnings` tell the caller which fields were taken without
    effect. `model` is the name by which the caller chose the method; empty, the method's own. `response` is set where
    the Responses API asked, and `raw_prompt` where the completions API did. The model's chat template is given
    `template_arguments`, which are JSON, and what stands for the `reasoning_effort`. Answers tell what was thought if
    `include_reasoning`; the first `prefill_thought` characters of the beginning of the answer are a thought, which the
    first round finds out. Among its tenant's evolutions that wait for a worker, one of a higher `service_tier` goes
    first. Where the profile compares responses, it has `relative_rewards`; where it reads how certain the language
    model was, generation tells its `self_certainty`. Mutants tell the language model those of the profile's `wishes`
    that go with what `messages` demand. Where nobody chose the search's price of tokens, it is `profile_priced`.
    """

    method: Method
    messages: tuple[Message, ...]
    sampling: Sampling
    search: Search
    seed: int
    seeded: bool = False
    n: int = 1
    profile: str = ""
    user: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tenant: str = ""
    accepted_at: float = 0.0
    warnings: tuple[str, ...] = ()
    model: str = ""
    response: ResponseOptions | None = None
    tool_use: ToolUse = field(default_factory=ToolUse)
    raw_prompt: RawPrompt | None = None
    template_arguments: dict[str, Any] = field(default_factory=dict)
    reasoning_effort: Effort | None = None
    include_reasoning: bool = True
    prefill_thought: int = 0
    service_tier: ServiceTier = "default"
    profile_owner: str | None = None
    profile_canary: str | None = None
    relative_rewards: bool = False
    wishes: tuple[str, ...] = ()
    self_certainty: bool = False
    profile_priced: bool = False


@dataclass(frozen=True)
class Choice:
    """One final response. `state` is None for the base response; `components` are the reward's weighted parts. The
    reward is not to be trusted where it `abstained`, which says why. `breaks` names the first of the profile's
    requirements that the response breaks, if it breaks one.

    Where there are `tool_calls`, `text` is what stands beside them. They are not `valid` where the response ends within
    a call or its reasoning, or the arguments of one do not follow the schema of its tool. `logprobs` are those of the
    tokens that the text shows, where they were asked for; none of a response with calls. `reasoning` is what was
    thought before the text, and so many of the `completion_tokens` are its `reasoning_tokens`.
    """

    text: str
    finish_reason: FinishReason
    completion_tokens: int
    reward: float | None
    components: dict[str, float]
    instruction: str
    cycle: int
    state: int | None
    tool_calls: tuple[ToolCall, ...] = ()
    valid: bool = True
    logprobs: tuple[TokenLogprobs, ...] = ()
    reasoning: str = ""
    reasoning_tokens: int = 0
    abstained: str = ""
    breaks: str = ""


@dataclass(frozen=True)
class Tokens:
    """Tokens by stage.

    mutation: sampled while rewriting instructions. kept: sampled and part of some final response. discarded: sampled
    and thrown away by replacement, lookahead or a budget. reward: computed by reward models.
    prompt: of the original conversation. cached: prefix tokens that the generation engine did not recompute.
    """

    prompt: int = 0
    mutation: int = 0
    kept: int = 0
    discarded: int = 0
    reward: int = 0
    cached: int = 0

    @property
    def generated(self) -> int:
        return self.mutation + self.kept + self.discarded


NO_TOKENS = Tokens()


@dataclass(frozen=True)
class Seconds:
    """Wall seconds during which at least one call of the stage was under way (stages overlap), and since acceptance."""

    mutation: float = 0.0
    generation: float = 0.0
    reward: float = 0.0
    total: float = 0.0


@dataclass(frozen=True)
class Result:
    """The answer: the `n` best distinct final responses, best first, beside the base response. Where there is a
    `fallback`, the base response comes first, for what it says of the one that would have. No mutant has told the
    wishes that were withheld.
    """

    choices: tuple[Choice, ...]
    base: Choice | None
    tokens: Tokens
    seconds: Seconds
    rounds: int
    stopped_by: StoppedBy | None = None
    fallback: Fallback | None = None
    wishes_withheld: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why an evolution ended early, or an attempt at a round of it failed, in words for operators.

    `code` is the name of an error class in `shared.errors`, `field` the offending request field where there is one.
    """

    code: str
    message: str
    field: str | None = None


@dataclass(frozen=True)
class TraceContext:
    """The span that an evolution's spans descend from, in hex (W3C Trace Context: 32 and 16 digits)."""

    trace_id: str
    span_id: str
    sampled: bool


@dataclass(frozen=True)
class Idempotency:
    """A caller's `Idempotency-Key`: `key` is a digest of it with the tenant, `fingerprint` one of what was asked."""

    key: str
    fingerprint: str


@dataclass(frozen=True)
class SavedState:
    """The orchestrator's own JSON, which nobody else reads: a head that each save replaces, and parts, which stay.

    One that is read has all parts in the order in which they were saved, one that is to be saved those that are new.
    """

    head: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """An evolution as Redis holds it.

    `version` grows by one with each save. `state` is the orchestrator's: None until its first save, after the end, and
    for everybody who only reads. A `whole` record was accepted by a version that keeps everything in one piece, and
    stays so: its state is JSON. `attempts` counts failures in a row; `error` is the last one, and stays where the
    search ended by it, with an answer or without. `key_id` is the API key that is charged, empty where none is asked
    for, at `prices`. `retry_after_s` is when a stage that was full as the search failed wants to be asked again, in
    seconds from then, where it has said so. Times are Unix seconds.
    """

    id: str
    version: int
    status: Status
    created_at: float
    request: EvolutionRequest
    state: SavedState | str | None = None
    seconds: Seconds = field(default_factory=Seconds)
    attempts: int = 0
    finished_at: float | None = None
    result: Result | None = None
    error: Failure | None = None
    key_id: str = ""
    idempotency: Idempotency | None = None
    trace: TraceContext | None = None
    unfinished: str = ""
    prices: Prices | None = None
    whole: bool = False
    retry_after_s: float | None = None

    @property
    def deadline(self) -> float | None:
        """When the search ends at the latest, in Unix seconds; None where it may take as long as it takes."""
        deadline_ms = self.request.search.deadline_ms
        return None if deadline_ms is None else self.created_at + deadline_ms / 1000
