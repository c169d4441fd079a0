"""How a language model will be served, read before its weights: what an engine checks at its start, and says of it."""

from dataclasses import dataclass
from pathlib import Path

from services.generation.checkpoint import Checkpoint, read_checkpoint
from services.generation.endpoint.capabilities import CHATS, COMPLETIONS
from services.generation.endpoint.probing import find_model
from services.generation.probed_endpoint import build_endpoint, probe_endpoint
from services.generation.settings import GenerationSettings
from shared.errors import DarwinError, Unsupported
from shared.methods import METHODS
from shared.process.number_types import DtypeSetting
from shared.records.evolution import Message
from shared.text.embedded_models import resolve
from shared.text.template import TemplateTraits
from shared.text.tokenizers import first_line

_EXAMPLE = (
    Message("system", "Answer in one sentence."),
    Message("user", "Name a fruit."),
    Message("assistant", "An apple."),
    Message("user", "Name another one."),
)


@dataclass(frozen=True)
class GeneratorInspection:
    """How a checkpoint will be served.

    `context_length` counts tokens of prompt and response, None where the model has no limit of its own. `end_tokens`
    end a response. `prompt` is a short conversation as the model reads it, control tokens spelled out.
    """

    model: str
    family: str
    architecture: str
    context_length: int | None
    vocabulary: int
    dtype: str
    end_tokens: tuple[str, ...]
    template: TemplateTraits
    prompt: str


def inspect_generator(model: str, dtype: DtypeSetting = "auto") -> GeneratorInspection:
    """Reads configuration, tokenizer and template, and of a folder the headers of its weights.

    Raises:
        NotFound: there is no such model.
        Unsupported: it cannot be served; the message says why.
    """
    import torch

    folder = resolve(model)
    checkpoint = read_checkpoint(folder)
    if Path(folder).is_dir():
        _check_weights(folder, checkpoint)
    chat = checkpoint.chat
    return GeneratorInspection(
        model=model,
        family=checkpoint.config.family,
        architecture=", ".join(checkpoint.config.architectures) or "not named",
        context_length=checkpoint.context_length,
        vocabulary=checkpoint.vocabulary,
        dtype=checkpoint.dtype(dtype, "cuda" if torch.cuda.is_available() else "cpu"),
        end_tokens=_names(checkpoint),
        template=chat.template,
        prompt=chat.decode(chat.encode_chat(_EXAMPLE), special=True),
    )


@dataclass(frozen=True)
class EndpointInspection:
    """What an endpoint can do, and whose tokenizer makes its prompts.

    `asked_by` is the path of requests. `exact` says that continuations are of exactly the ids that were sampled;
    otherwise text is sent and tokenised again. `continues` says how responses are continued, "no" where they are not,
    so that only the `methods` can be served. `does_without` are the fields, or values of them, that requests leave out.
    """

    url: str
    serves: str
    tokenizer: str
    context_length: int
    asked_by: str
    continues: str
    methods: tuple[str, ...]
    exact: bool
    takes_ids: bool
    returns_ids: bool
    counts_tokens_alike: bool
    logprobs: bool
    top_k: bool
    seeds: bool
    structured_output: bool
    keeps_callers_apart: bool
    does_without: tuple[str, ...]


async def inspect_endpoint(settings: GenerationSettings) -> EndpointInspection:
    """Probes the endpoint that `settings` name, a token at a time; one that is away is not waited for.

    Raises:
        SettingsError: prompts would leave this machine in plain text.
        Unsupported: it cannot be served from; the message says what to change.
        Unavailable, Overloaded, DeadlineExceeded: it is away.
    """
    checkpoint = read_checkpoint(resolve(settings.model))
    endpoint = build_endpoint(settings)
    try:
        known = await probe_endpoint(
            endpoint, settings, checkpoint, await find_model(endpoint, settings.endpoint_model)
        )
        capabilities, serves = known.capabilities, known.info.model
    finally:
        await endpoint.close()
    return EndpointInspection(
        url=settings.endpoint,
        serves=serves,
        tokenizer=settings.model,
        context_length=known.info.context_length,
        asked_by=f"/{CHATS if capabilities.chat else COMPLETIONS}",
        continues=(capabilities.continuing or "no") if capabilities.chat else ("ids" if capabilities.exact else "text"),
        methods=tuple(name for name, traits in METHODS.items() if capabilities.continues or not traits.replaces),
        exact=capabilities.exact,
        takes_ids=capabilities.takes_ids,
        returns_ids=capabilities.returns_ids,
        counts_tokens_alike=capabilities.counts_alike,
        logprobs=capabilities.logprobs,
        top_k="top_k" in capabilities.fields,
        seeds=any(name == "seed" for name, _ in capabilities.standard),
        structured_output=known.info.structured_output,
        keeps_callers_apart="cache_salt" in capabilities.fields,
        does_without=capabilities.lacks,
    )


def _check_weights(folder: str, checkpoint: Checkpoint) -> None:
    """Raises Unsupported where some are missing, or no class is for the model."""
    from safetensors import SafetensorError
    from transformers.utils import logging

    from services.generation.weights import load_model

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        load_model(folder, checkpoint, device_map="meta")
    except DarwinError:
        raise
    except SafetensorError as error:
        raise Unsupported(
            f"the weights in {folder} are cut or damaged ({first_line(error)}): copy them again", field="model"
        ) from error
    except Exception as error:  # foreign files, read by a foreign library: anything may be wrong
        raise Unsupported(f"{folder} cannot be loaded: {first_line(error)}", field="model") from error


def _names(checkpoint: Checkpoint) -> tuple[str, ...]:
    tokens = checkpoint.tokenizer.convert_ids_to_tokens(sorted(checkpoint.eos_ids))
    return tuple(str(token) for token in tokens)
