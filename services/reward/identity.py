"""What a reward is: a digest that changes with whatever may change its scores.

It is made of the profile, the weights that its components read, the number type, and Darwin's own code of rewards. A
server behind a URL is known by its URL and by the name of the model that it reports, and by nothing else.
"""

import json
from collections.abc import Iterator
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

import grpc
import httpx
from safetensors import deserialize

from services.reward.profiles import ProfileFile
from services.reward.registry import HttpSpec, QualitySpec, RelevanceSpec, RulesSpec
from services.reward.runtime import Runtime
from services.reward.specs import WEIGHTS, ComponentSpec, JudgeSpec, ModelSpec
from shared.errors import NotFound, Unavailable
from shared.pb.generation_pb2 import GetModelRequest
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.rpc.tls import NO_PROXY, Transport
from shared.text.embedded_models import EMBEDDED_ENCODER, EMBEDDED_LLM, resolve

_HERE = Path(__file__).parent
_ASKED_S = 10.0
_APART = {"name", "weight", "head"}


def identity(profile: ProfileFile, runtime: Runtime) -> str:
    """16 hexadecimal digits, equal for profiles that score alike whatever they are called.

    Raises:
        NotFound: a component's model or head is not there.
        Unavailable: a component's server cannot be reached.
    """
    parts = [_digest(_HERE, "*.py"), runtime.device, runtime.number_type(None)]
    parts += [f"{part.weight} {_fields(part)} {' '.join(_content(part, runtime))}" for part in profile.components]
    if profile.length_curve is not None:
        parts.append(_digest(WEIGHTS / profile.length_curve))
    parts += _sums(profile)
    return blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


def identity_of_components(profile: ProfileFile) -> str:
    """16 hexadecimal digits over what the profile says of its components, and what counts of the heads that it names.

    What it leaves as it is by default does not count, so that a field more changes nothing.

    Raises:
        NotFound: a head is not there.
    """
    parts = [f"{part.weight} {_said(part)}" for part in profile.components]
    return blake2b(json.dumps(parts + _sums(profile)).encode(), digest_size=8).hexdigest()


def identity_of_component(spec: ComponentSpec) -> str:
    """As `identity_of_components`, of one component's values, whatever its weight and its transform.

    Raises:
        NotFound: a head is not there.
    """
    return blake2b(_said(spec.model_copy(update={"transform": None})).encode(), digest_size=8).hexdigest()


def _said(spec: ComponentSpec) -> str:
    head = _head(spec) if isinstance(spec, QualitySpec) else ""
    return f"{spec.model_dump_json(exclude=_APART, exclude_defaults=True)} {head}"


def _sums(profile: ProfileFile) -> list[str]:
    """What else a profile makes of its components; nothing of one that only adds them up."""
    parts = [ensemble.model_dump_json() for ensemble in profile.ensembles]
    parts += [json.dumps(list(profile.require.items()))] if profile.require else []
    return parts + ([_digest(WEIGHTS / profile.reference)] if profile.reference else [])


def _head(spec: QualitySpec) -> str:
    """A digest of the head's weights and bias; of all that stands beside them, too, where scores depend on it."""
    file = WEIGHTS / spec.head
    if spec.kappa or not file.is_file():
        return _digest(file)
    tensors = deserialize(file.read_bytes())  # type: ignore[no-untyped-call]  # the library has no types
    state = blake2b(digest_size=16)
    for name, tensor in sorted(tensors, key=lambda named: named[0]):
        if name in ("w", "bias"):
            state.update(f"{name} {tensor['dtype']} {tensor['shape']}".encode() + bytes(tensor["data"]))
    return state.hexdigest()


def _fields(spec: ComponentSpec) -> str:
    return spec.model_dump_json(exclude=_APART)


def _content(spec: ComponentSpec, runtime: Runtime) -> Iterator[str]:
    """What decides on scores and stands outside the profile."""
    if isinstance(spec, QualitySpec):
        yield _digest(WEIGHTS / spec.head)
        yield _digest(Path(resolve(EMBEDDED_LLM)))
    elif isinstance(spec, RelevanceSpec):
        yield _digest(Path(resolve(EMBEDDED_ENCODER)))
    elif isinstance(spec, ModelSpec):
        yield _checkpoint(spec.model, spec.revision)
    elif isinstance(spec, HttpSpec):
        yield reported_model(spec)
        if spec.tokenizer is not None:
            yield _checkpoint(spec.tokenizer, None)
    elif isinstance(spec, RulesSpec) and spec.tokenizer is not None:
        yield _checkpoint(spec.tokenizer, None)
    elif isinstance(spec, JudgeSpec):
        yield reported_model(spec) if spec.url is not None else model_of_generation(runtime.generation)


def _checkpoint(model: str, revision: str | None) -> str:
    """The content of a folder, or the commit to which a Hugging Face id leads now."""
    folder = Path(resolve(model))
    if folder.is_dir():
        return _digest(folder)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(model, "config.json", revision=revision)).parent.name
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise NotFound(f"no model can be read from {model}: {str(error).splitlines()[0]}", field="model") from None


def _digest(path: Path, pattern: str = "*") -> str:
    """Over the content of a file, or over names and contents of a folder's files at any depth, but for hidden ones."""
    files = {"": path} if path.is_file() else {str(each.relative_to(path)): each for each in path.rglob(pattern)}
    state = blake2b(digest_size=16)
    for name, file in sorted(files.items()):
        if file.is_file() and not any(part.startswith(".") for part in Path(name).parts):
            with file.open("rb") as stream:
                state.update(name.encode() + b"\0" + file_digest(stream, "blake2b").digest())
    if not files:
        raise NotFound(f"there is no {path}")
    return state.hexdigest()


def reported_model(spec: HttpSpec | JudgeSpec) -> str:
    """What the server says that it serves: TEI by `/info`, others by `/v1/models`; empty where it does not say.

    Raises:
        Unavailable: it cannot be reached.
    """
    from services.reward.remote.scorer import key_of

    key = key_of(spec)
    base = str(spec.url).rstrip("/")
    for path in ("/classify", "/pooling", "/predict", "/get_reward", "/chat/completions"):
        base = base.removesuffix(path)
    listed = "models" if isinstance(spec, JudgeSpec) else "info" if spec.api == "tei-predict" else "v1/models"
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        # Given a transport, httpx takes no proxy from the environment, as where the server scores.
        with httpx.Client(headers=headers, timeout=_ASKED_S, transport=httpx.HTTPTransport()) as client:
            answer = client.get(f"{base}/{listed}")
        said = answer.json() if answer.is_success else {}
    except httpx.HTTPError as error:
        raise Unavailable(f"the reward server {spec.url} cannot be reached ({type(error).__name__})") from None
    except ValueError:
        said = {}
    return json.dumps(_names(said), sort_keys=True)


def model_of_generation(address: str) -> str:
    """The model that the generation service serves, and its engine.

    Raises:
        Unavailable: it cannot be reached.
    """
    target = address.partition(",")[0]
    credentials = Transport().channel_credentials(target)
    channel = (
        grpc.insecure_channel(target, NO_PROXY)
        if credentials is None
        else grpc.secure_channel(target, credentials, NO_PROXY)
    )
    with channel:
        try:
            model = GenerationServiceStub(channel).GetModel(GetModelRequest(), timeout=_ASKED_S)
        except grpc.RpcError as error:
            raise Unavailable(f"the generation service {target} cannot be reached ({error.code().name})") from None
    return f"{model.model} {model.engine}"


def _names(said: Any) -> list[Any]:
    """Of vLLM's models each with the checkpoint behind it (`root`), of TEI's the checkpoint and its commit."""
    if not isinstance(said, dict):
        return []
    listed = [each for each in said.get("data") or [said] if isinstance(each, dict)]
    return [{name: each.get(name) for name in ("id", "root", "model_id", "model_sha")} for each in listed]
