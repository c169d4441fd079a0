"""What a reward checkpoint is, read before its weights: the checks that loading and `darwin check` share."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any

from services.reward.classifier_inputs import ChatFormat, chat_format
from services.reward.own_code import runs_own_code
from services.reward.runtime import quiet_transformers
from services.reward.scorer import TRIAL
from services.reward.specs import ModelSpec
from shared.errors import DarwinError, Unsupported
from shared.text.config import ModelConfig, check_weights, listed, load_config
from shared.text.embedded_models import resolve
from shared.text.template import TemplateTraits
from shared.text.tokenizers import first_line, load_tokenizer

_ABSURD = 2**40


@dataclass(frozen=True)
class RewardInspection:
    """How a checkpoint will be served.

    `head` names the modules behind the trunk, which compute in float32. `labels` are the outputs' names, `output` the
    index of the one that is the reward (None: the code of the checkpoint gives one number). `vocabulary` is the number
    of rows of the embedding table, `padding` an id within it that no conversation ends with. `max_tokens` bounds a
    conversation, answer included; `truncation` says what goes where one is longer. `template` is None where question
    and answer are two segments.
    """

    model: str
    folder: str
    revision: str | None
    family: str
    architecture: str
    head: tuple[str, ...]
    labels: tuple[str, ...]
    output: int | None
    own_code: bool
    vocabulary: int
    padding: int
    max_tokens: int
    truncation: str
    segments: int
    token_types: bool
    template: TemplateTraits | None
    config: Any = field(repr=False, compare=False)
    format: ChatFormat = field(repr=False, compare=False)
    tokenizer: Any = field(repr=False, compare=False)


def inspect_reward(spec: ModelSpec) -> RewardInspection:
    """Reads configuration, tokenizer and the headers of the weights' files.

    Raises:
        NotFound: there is no such model.
        Unsupported: it cannot be served as the component says; the message says what to change, `field` where.
    """
    with refusing(spec.model):
        return _inspected(spec, resolve(spec.model))


def _inspected(spec: ModelSpec, folder: str) -> RewardInspection:
    from services.reward.heads import head_names

    own_code = runs_own_code(spec, folder)
    source: dict[str, Any] = {"trust_remote_code": own_code, "revision": spec.revision}
    config = load_config(folder, **source)
    tokenizer = load_tokenizer(folder, **source)
    _drop_padding_beyond(config)
    skeleton = _skeleton(folder, config, source)
    labels = _labels(config.whole)
    output = _output(spec, labels, own_code)
    vocabulary = int(skeleton.get_input_embeddings().weight.shape[0])
    token_types, limit = _takes_token_types(skeleton), _limit(spec.max_tokens, config, skeleton, tokenizer)
    form = chat_format(tokenizer, spec, limit, vocabulary=vocabulary, token_types=token_types)
    return RewardInspection(
        model=spec.model,
        folder=folder,
        revision=spec.revision,
        family=config.family,
        architecture=type(skeleton).__name__,
        head=head_names(skeleton),
        labels=labels,
        output=output,
        own_code=own_code,
        vocabulary=vocabulary,
        padding=_padding(form, tokenizer, vocabulary),
        max_tokens=limit,
        truncation=form.truncation,
        segments=spec.segments,
        token_types=token_types,
        template=form.template,
        config=config.whole,
        format=form,
        tokenizer=tokenizer,
    )


@contextmanager
def refusing(model: str) -> Iterator[None]:
    """Puts the model's name before the messages of errors, and turns a library's error into one sentence."""
    try:
        yield
    except DarwinError as error:
        if error.message.startswith(model):
            raise
        raise type(error)(f"{model}: {error.message}", field=error.field) from error
    except Exception as error:
        raise Unsupported(f"{model} cannot be served as a reward model: {first_line(error)}", field="model") from error


def _labels(config: Any) -> tuple[str, ...]:
    names = dict(config.id2label or {})
    return tuple(str(names.get(index, f"LABEL_{index}")) for index in range(config.num_labels))


def _output(spec: ModelSpec, labels: tuple[str, ...], own_code: bool) -> int | None:
    if spec.output is None:
        if own_code:
            return None
        if len(labels) == 1:
            return 0
        raise Unsupported(
            f"it has {len(labels)} outputs ({listed(labels)}): name the one that is the reward by output",
            field="output",
        )
    if isinstance(spec.output, int):
        if spec.output >= len(labels):
            raise Unsupported(f"it has {len(labels)} outputs, none of number {spec.output}", field="output")
        return spec.output
    if spec.output not in labels:
        raise Unsupported(f"it has no output {spec.output!r}, only {listed(labels)}", field="output")
    return labels.index(spec.output)


def _drop_padding_beyond(config: ModelConfig) -> None:
    """A padding token that was added without a row in the embedding table would stop the model from being built."""
    for part in (config.whole, config.text):
        padding = getattr(part, "pad_token_id", None)
        if padding is not None and config.vocabulary is not None and padding >= config.vocabulary:
            part.pad_token_id = None


def _skeleton(folder: str, config: ModelConfig, source: Mapping[str, Any]) -> Any:
    """The model without memory for weights, once all of them are known to be in the checkpoint."""
    from transformers import AutoModelForSequenceClassification

    quiet_transformers()
    model, loaded = AutoModelForSequenceClassification.from_pretrained(
        folder,
        config=copy.deepcopy(config.whole),
        device_map="meta",
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        **source,
    )
    check_weights(folder, loaded)
    return model


def _takes_token_types(model: Any) -> bool:
    kinds = getattr(model.config, "type_vocab_size", None) or 0
    return kinds >= 2 and "token_type_ids" in signature(model.forward).parameters


def _limit(wanted: int, config: ModelConfig, model: Any, tokenizer: Any) -> int:
    """The least number of tokens that component, positions and tokenizer allow; absent and absurd ones are ignored."""
    import torch

    tables = [
        module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding)
    ]
    limits = (wanted, config.context_length, tokenizer.model_max_length, *tables)
    return min(int(limit) for limit in limits if limit is not None and 0 < limit < _ABSURD)


def _padding(form: ChatFormat, tokenizer: Any, vocabulary: int) -> int:
    """An id for padding that neither a whole nor a partial conversation ends with."""
    rendered = [form.encode(replace(TRIAL, partial=partial)).token_ids for partial in (False, True)]
    beyond = sorted({token for ids in rendered for token in ids if token >= vocabulary})
    if beyond:
        tokens = listed([str(token) for token in tokenizer.convert_ids_to_tokens(beyond)])
        raise Unsupported(f"its embedding table has no row for what its tokenizer gives: {tokens}", field="model")
    return next(padding_ids(tokenizer, vocabulary, {tokenizer.eos_token_id, *(ids[-1] for ids in rendered)}))


def padding_ids(tokenizer: Any, vocabulary: int, ends: set[int]) -> Iterator[int]:
    """Ids within the embedding table that may pad rows which end with one of `ends`.

    transformers finds a row's last token by looking for padding: where the padding is the end-of-sequence token too,
    as in many checkpoints, it would read the score one token early.
    """
    for token in (tokenizer.pad_token_id, *tokenizer.all_special_ids, *range(vocabulary)):
        if token is not None and token < vocabulary and token not in ends:
            yield int(token)
