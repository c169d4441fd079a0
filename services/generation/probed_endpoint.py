"""An endpoint as the engine knows it once it has been probed: its model, our tokenizer for it, and what it can do."""

from dataclasses import dataclass

from services.generation.checkpoint import Checkpoint
from services.generation.endpoint.capabilities import Capabilities
from services.generation.endpoint.client import Endpoint
from services.generation.endpoint.probing import ProbePrompt, Retrying, Trust, once, probe
from services.generation.endpoint.responses import ServedModel
from services.generation.endpoint.token_text import TokenText
from services.generation.endpoint.url import check_private
from services.generation.engine import ModelInfo
from services.generation.hidden_tokens import hidden_tokens
from services.generation.messages import SHAPING
from services.generation.reasoning.marks import find_reasoning_marks
from services.generation.settings import GenerationSettings
from services.generation.token_logprobs import TokenBytes
from services.generation.tool_calls.detection import find_tool_reader
from shared.process.certificates import Certificates
from shared.records.evolution import Message

# The text is of several scripts, so that another tokenizer would make another number of tokens of it.
_GREETING = (Message("user", "Hello! Zwölf größere Übungen, 十二个练习 and 1,024 unbelievably small ones: {x → ½}?"),)

# An endpoint takes the beginning of a response for a part of the prompt, and counts none of it.
_COUNTED = frozenset({"presence_penalty", "frequency_penalty"})


@dataclass(frozen=True)
class ProbedEndpoint:
    """Our tokenizer and template for the endpoint's model, token ids as text, and what it serves and supports."""

    checkpoint: Checkpoint
    text: TokenText
    capabilities: Capabilities
    info: ModelInfo


def build_endpoint(settings: GenerationSettings) -> Endpoint:
    """The endpoint that `settings` name, with one connection for each sequence that may be decoded at once.

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
    retrying: Retrying = once,
) -> ProbedEndpoint:
    """Probes the endpoint for what it supports; raises as `probe` does."""
    text = TokenText(checkpoint.tokenizer, checkpoint.chat.control_ids)
    ids = checkpoint.chat.encode_chat(_GREETING)
    spelled = text.prompt(ids)
    prompt = ProbePrompt(_GREETING[0].content, ids, spelled, text.tokens(spelled))
    trust = Trust(settings.endpoint_api, settings.endpoint_tokens, settings.trusted_fields, settings.endpoint_continues)
    capabilities = await probe(endpoint, served.id, prompt, trust, retrying)
    # By chats another model's tokenizer may stand for the endpoint's, whose context is then none of its.
    own = checkpoint.context_length if capabilities.counts_alike or not capabilities.chat else None
    lengths = (settings.max_model_len, own, served.max_model_len)
    context = min(length for length in lengths if length is not None)
    structured = "response_format" in capabilities.fields
    hidden = hidden_tokens(checkpoint.tokenizer, checkpoint.vocabulary)
    reader = None
    if not capabilities.chat:
        reader = find_tool_reader(checkpoint.chat, checkpoint.tokenizer, hidden, settings.tool_parser)
    info = ModelInfo(
        served.id,
        "openai",
        context,
        structured,
        checkpoint.vocabulary,
        checkpoint.eos_ids,
        hidden,
        tool_reader=reader,
        token_bytes=TokenBytes(checkpoint.tokenizer) if capabilities.logprobs else None,
        cannot_obey=frozenset(SHAPING) - capabilities.fields,
        template_variables=frozenset() if capabilities.chat else checkpoint.chat.template.variables,
        reasoning=find_reasoning_marks(checkpoint.chat, checkpoint.tokenizer, settings.reasoning_parser),
        cannot_continue=_COUNTED | (frozenset() if capabilities.exact else {"ignore_eos"}),
        continues=capabilities.continues,
        raw_prompts=not capabilities.chat,
    )
    return ProbedEndpoint(checkpoint, text, capabilities, info)
