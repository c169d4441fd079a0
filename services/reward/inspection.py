"""What a reward checkpoint is, read before its weights: the checks that loading and `darwin check` share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from services.reward.chat import ChatFormat, chat_format
from services.reward.scorer import Conversation, ScoreItem
from services.reward.specs import ModelSpec
from shared.errors import DarwinError, NotFound, Unsupported
from shared.models import resolve
from shared.records import Message
from shared.text.chat import TemplateTraits
from shared.text.tokenizers import load_tokenizer

_CLASS = "AutoModelForSequenceClassification"
_SHOWN = 5
_PROBE = ScoreItem(Conversation((Message("user", "Name a fruit."),)), "An apple.")


@dataclass(frozen=True)
class RewardInspection:
    """How a checkpoint will be served.

    `head` names the modules behind the trunk, which compute in float32. `labels` are the outputs' names, `output` the
    index of the one that is the reward (None: the code of the checkpoint gives one number). `vocabulary` is the number
    of rows of the embedding table, `padding` an id within it that no conversation ends with. `max_tokens` bounds a
    conversation, answer included. `template` is None where question and answer are two segments.
    """

    model: str
    folder: str
    architecture: str
    head: tuple[str, ...]
    labels: tuple[str, ...]
    output: int | None
    own_code: bool
    vocabulary: int
    padding: int
    max_tokens: int
    segments: int
    token_types: bool
    template: TemplateTraits | None
    format: ChatFormat = field(repr=False, compare=False)
    tokenizer: Any = field(repr=False, compare=False)


def inspect_reward(spec: ModelSpec) -> RewardInspection:
    """Reads configuration, tokenizer and the headers of the weights' files.

    Raises:
        NotFound: there is no such model.
        Unsupported: it cannot be served as the component says; the message says what to change, `field` where.
    """
    with refusing(spec.model):
        folder = _folder(spec)
        own_code = _own_code(spec, folder)
        config = _config(folder, own_code)
        labels = _labels(config)
        output = _output(spec, labels, own_code)
        tokenizer = load_tokenizer(folder, trust_remote_code=own_code)
        skeleton = _skeleton(spec.model, folder, own_code)
        token_types = _takes_token_types(skeleton)
        limit = _limit(spec.max_tokens, skeleton, tokenizer)
        form = chat_format(tokenizer, spec, limit, spec.model, token_types)
        vocabulary = int(skeleton.get_input_embeddings().weight.shape[0])
        return RewardInspection(
            model=spec.model,
            folder=folder,
            architecture=type(skeleton).__name__,
            head=head_names(skeleton),
            labels=labels,
            output=output,
            own_code=own_code,
            vocabulary=vocabulary,
            padding=_padding(spec.model, form, tokenizer, vocabulary),
            max_tokens=limit,
            segments=spec.segments,
            token_types=token_types,
            template=getattr(form, "template", None),
            format=form,
            tokenizer=tokenizer,
        )


@contextmanager
def refusing(model: str) -> Iterator[None]:
    """Makes one sentence of whatever a library says of a checkpoint that it cannot read."""
    try:
        yield
    except DarwinError:
        raise
    except Exception as error:
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise Unsupported(f"{model} cannot be served as a reward model: {said[:300]}", field="model") from error


def check_weights(model: str, loaded: Mapping[str, Any]) -> None:
    """Raises Unsupported where weights were not in the checkpoint, which transformers would draw at random."""
    missing, odd = sorted(loaded["missing_keys"]), sorted(entry[0] for entry in loaded["mismatched_keys"])
    if missing:
        raise Unsupported(
            f"{model}: the checkpoint holds no weights for: {_listed(missing)}; save the reward model with its head, "
            "under these names",
            field="model",
        )
    if odd:
        raise Unsupported(
            f"{model}: the checkpoint's weights have another shape than its config.json says: {_listed(odd)}",
            field="model",
        )


def head_names(model: Any) -> tuple[str, ...]:
    """The modules and parameters that follow the trunk; where the trunk has no name, the last linear layer."""
    import torch

    trunk = model.base_model
    if trunk is not model:
        direct = (name for name, _ in model.named_parameters(recurse=False))
        return (*(name for name, child in model.named_children() if child is not trunk and _weighs(child)), *direct)
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    return tuple(linear[-1:])


def _weighs(module: Any) -> bool:
    return next(module.parameters(), None) is not None


def _folder(spec: ModelSpec) -> str:
    """A folder where there is one, the files of `revision` where one is asked for, else the Hugging Face id."""
    if spec.revision is None:
        return resolve(spec.model)
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(spec.model, revision=spec.revision))
    except Exception as error:
        raise NotFound(f"{spec.model} has no revision {spec.revision} that can be reached", field="revision") from error


def _own_code(spec: ModelSpec, folder: str) -> bool:
    from transformers import CONFIG_MAPPING, PretrainedConfig

    try:
        raw, _ = PretrainedConfig.get_config_dict(folder)
    except (OSError, ValueError) as error:
        raise NotFound(f"no model {spec.model}: there is no readable config.json", field="model") from error
    if not raw:
        raise NotFound(f"no model {spec.model}: there is no readable config.json", field="model")
    offered = raw.get("auto_map") or {}
    known = raw.get("model_type") in CONFIG_MAPPING
    needed = _CLASS in offered or ("AutoConfig" in offered and not known)
    if not needed:
        return False
    if not spec.trust_remote_code:
        raise Unsupported(
            f"{spec.model} has Python code of its own: set trust_remote_code: true in the component if it may run",
            field="trust_remote_code",
        )
    if _CLASS not in offered:
        raise Unsupported(f"the code of {spec.model} offers no {_CLASS}, which a reward model needs", field="model")
    return True


def _config(folder: str, own_code: bool) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=own_code)


def _labels(config: Any) -> tuple[str, ...]:
    names = dict(config.id2label or {})
    return tuple(str(names.get(index, f"LABEL_{index}")) for index in range(config.num_labels))


def _output(spec: ModelSpec, labels: tuple[str, ...], own_code: bool) -> int | None:
    if spec.output is None:
        if len(labels) == 1 or own_code:
            return None if own_code else 0
        raise Unsupported(
            f"{spec.model} has {len(labels)} outputs ({_listed(labels)}): name the one that is the reward by output",
            field="output",
        )
    if isinstance(spec.output, int):
        if spec.output >= len(labels):
            raise Unsupported(f"{spec.model} has {len(labels)} outputs, none of number {spec.output}", field="output")
        return spec.output
    if spec.output not in labels:
        raise Unsupported(f"{spec.model} has no output {spec.output!r}, only {_listed(labels)}", field="output")
    return labels.index(spec.output)


def _skeleton(name: str, folder: str, own_code: bool) -> Any:
    """The model without memory for weights, once all of them are known to be in the checkpoint."""
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model, loaded = AutoModelForSequenceClassification.from_pretrained(
        folder,
        device_map="meta",
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        trust_remote_code=own_code,
    )
    check_weights(name, loaded)
    return model


def _takes_token_types(model: Any) -> bool:
    kinds = getattr(model.config, "type_vocab_size", None) or 0
    return kinds >= 2 and "token_type_ids" in signature(model.forward).parameters


def _limit(wanted: int, model: Any, tokenizer: Any) -> int:
    """The least of what the component, the positions and the tokenizer allow; absent and absurd ones count nothing."""
    import torch

    config = model.config
    stated = [getattr(each, "max_position_embeddings", None) for each in (config, config.get_text_config())]
    tables = [
        module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding)
    ]
    limits = (wanted, tokenizer.model_max_length, *stated, *tables)
    return min(int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < 2**40)


def _padding(name: str, form: ChatFormat, tokenizer: Any, vocabulary: int) -> int:
    """A padding id that no conversation ends with, special before others: text cannot hold it."""
    partial = ScoreItem(_PROBE.conversation, _PROBE.text, partial=True)
    rendered = [form.encode(item).token_ids for item in (_PROBE, partial)]
    beyond = {token for ids in rendered for token in ids if token >= vocabulary}
    if beyond:
        tokens = _listed([str(token) for token in tokenizer.convert_ids_to_tokens(sorted(beyond))])
        raise Unsupported(
            f"{name}: the embedding table has no row for what its tokenizer gives: {tokens}", field="model"
        )
    return next(padding_ids(tokenizer, vocabulary, {tokenizer.eos_token_id, *(ids[-1] for ids in rendered)}))


def padding_ids(tokenizer: Any, vocabulary: int, ends: set[int]) -> Iterator[int]:
    """Ids within the embedding table that may pad rows which end with one of `ends`.

    transformers finds a row's last token by looking for padding: where the padding is the end-of-sequence token too,
    as in many checkpoints, it would read the score one token early.
    """
    for token in (tokenizer.pad_token_id, *tokenizer.all_special_ids, *range(vocabulary)):
        if token is not None and token < vocabulary and token not in ends:
            yield int(token)


def _listed(names: list[str] | tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
