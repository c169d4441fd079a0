"""The only place where the reward service's parts are built."""

import gc
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from services.reward import metrics
from services.reward.length import LengthCurve, read_curve
from services.reward.profiles import (
    SCORER_TYPES,
    ProfileFile,
    dumped_profile,
    load_profiles,
    parse_profile,
    read_profile,
    single,
)
from services.reward.reference import Sample, read_reference
from services.reward.rewarder import Rewarder
from services.reward.runtime import Runtime
from services.reward.servicer import RewardServicer
from services.reward.settings import RewardSettings
from services.reward.specs import WEIGHTS
from services.reward.validation import ScoringLimits
from services.reward.versions import Built
from services.reward.weighted import Component, Profile
from shared.errors import InvalidRequest, NotFound
from shared.pb.reward_pb2 import DESCRIPTOR
from shared.pb.reward_pb2_grpc import add_RewardServiceServicer_to_server
from shared.process.certificates import Certificates
from shared.rpc.service import Service


def build_service(rewarder: Rewarder) -> Service:
    """The service around a rewarder, which it starts and stops."""
    metrics.watch(rewarder)

    async def start() -> None:
        await rewarder.start()
        # What lasts is looked at by no collection from now on, which would hold up all scorers for as long.
        gc.freeze()

    return Service(
        name="reward",
        grpc_names=[DESCRIPTOR.services_by_name["RewardService"].full_name],
        add_to_server=add_RewardServiceServicer_to_server,
        servicer=RewardServicer(rewarder),
        start=start,
        stop=rewarder.stop,
        failed=rewarder.failed,
    )


def build_rewarder(settings: RewardSettings) -> Rewarder:
    """A rewarder over the profiles of the settings; one scorer serves equal components of several profiles.

    Raises:
        NotFound: a profile, or the default among those loaded, does not exist.
        InvalidRequest: a profile file is wrong, or none is named.
    """
    names = settings.profile_names()
    if not names:
        raise InvalidRequest("DARWIN_REWARD_PROFILES names no profile")
    files = load_profiles(names, settings.profiles_dir)
    default = settings.default_profile or names[0]
    if default not in files:
        raise NotFound(f"the default profile {default!r} is not loaded; loaded are: {', '.join(files)}")
    return build_over(files, default, settings)


def build_over(files: Mapping[str, ProfileFile], default: str, settings: RewardSettings) -> Rewarder:
    """A rewarder over profiles; `default` is one of them.

    Raises:
        NotFound, InvalidRequest: a profile's length curve or reference does not exist, or is another profile's.
    """
    runtime = _runtime(settings)
    specs = {spec.scorer_key(): spec for file in files.values() for spec in file.components}
    scorers = {key: spec.create(runtime) for key, spec in specs.items()}

    def build(name: str, content: str) -> Built:
        file = parse_profile(content, name)
        creators = {spec.scorer_key(): partial(spec.create, runtime) for spec in file.components}
        return Built(_profile(name, file), creators)

    profiles = {name: _profile(name, file) for name, file in files.items()}
    limits, most_bytes = ScoringLimits(), settings.model_bytes
    return Rewarder(profiles, default, scorers, limits, settings.max_batch, build, most_bytes)


def build_standalone(name: str, threads: int = 1) -> Rewarder:
    """A rewarder outside any service, over one profile (a name or a file) or one scorer type without settings.

    Raises:
        NotFound, InvalidRequest: there is no such profile, or it is wrong.
    """
    settings = RewardSettings(threads=threads)
    called, profile = _standalone(name, settings)
    return build_over({called: profile}, called, settings)


def build_uncalibrated(name: str, threads: int = 1) -> tuple[Rewarder, str]:
    """As `build_standalone`, but rewards keep what their length predicts; and what a curve of them must name."""
    from services.reward.identity import identity_of_components

    settings = RewardSettings(threads=threads)
    called, profile = _standalone(name, settings)
    _check_alone(called, profile, "a length predicts nothing of them")
    plain = profile.model_copy(update={"length_curve": None})
    return build_over({called: plain}, called, settings), identity_of_components(plain)


def build_unsampled(name: str, threads: int = 1) -> tuple[Rewarder, dict[str, str]]:
    """As `build_standalone`, but for components alone, without transforms; and what samples of them must name.

    Raises:
        InvalidRequest: no component is to be transformed.
    """
    from services.reward.identity import identity_of_component

    settings = RewardSettings(threads=threads)
    called, profile = _standalone(name, settings)
    named = {spec.name: identity_of_component(spec) for spec in profile.components if spec.transform == "quantile"}
    if not named:
        raise InvalidRequest(
            f"{name} has no component with transform: quantile, which a sample is for", field="profile"
        )
    _check_alone(called, profile, "no sample tells how common they are")
    components = tuple(spec.model_copy(update={"transform": None}) for spec in profile.components)
    return build_over({called: ProfileFile(components=components)}, called, settings), named


def _check_alone(name: str, profile: ProfileFile, why: str) -> None:
    """Raises `InvalidRequest` where the profile's rewards compare responses, or need more of one than its text."""
    if profile.relative:
        raise InvalidRequest(
            f"{name} has {profile.relative[0]!r}, whose values compare the responses of a search, so that {why}: leave "
            "that component out",
            field="profile",
        )
    if profile.self_certainty:
        raise InvalidRequest(
            f"{name} has {profile.self_certainty[0]!r}, which reads how certain the language model was while it "
            "decoded, and recorded answers do not tell: leave that component out",
            field="profile",
        )


def identity_standalone(name: str) -> str:
    """What `build_standalone` would score by, as a digest (`services.reward.identity`).

    Raises:
        NotFound, InvalidRequest: there is no such profile, or it is wrong.
        Unavailable: it has a server that cannot be reached.
    """
    from services.reward.identity import identity  # the service has no use for it

    settings = RewardSettings()
    return identity(_standalone(name, settings)[1], _runtime(settings))


def _runtime(settings: RewardSettings) -> Runtime:
    return Runtime(
        settings.device,
        settings.dtype,
        settings.threads,
        settings.cache_bytes,
        Certificates().allow_plaintext,
        settings.generation,
    )


def _standalone(name: str, settings: RewardSettings) -> tuple[str, ProfileFile]:
    path = Path(name)
    if path.suffix == ".yaml" and path.is_file():
        return path.stem, read_profile(path)
    if name in SCORER_TYPES:
        return name, single(name)
    return name, load_profiles([name], settings.profiles_dir)[name]


def _profile(name: str, file: ProfileFile) -> Profile:
    samples = _samples(file)
    components = tuple(
        Component(
            *(spec.name, spec.weight, spec.scorer_key(), spec.parts, samples.get(spec.name), spec.beta),
            relative=spec.relative,
            self_certainty=spec.self_certainty,
        )
        for spec in file.components
    )
    return Profile(
        name,
        file.description,
        components,
        _length_curve(file),
        file.ensembles,
        dict(file.require),
        content=dumped_profile(file),
        wishes=file.wishes,
    )


def _samples(file: ProfileFile) -> dict[str, Sample]:
    """The reference samples of the components whose values are quantiles."""
    transformed = [spec for spec in file.components if spec.transform == "quantile"]
    if not transformed or file.reference is None:
        return {}
    from services.reward.identity import identity_of_component  # few profiles need it

    samples = read_reference(WEIGHTS / file.reference).samples
    for spec in transformed:
        if spec.name not in samples or samples[spec.name].component != identity_of_component(spec):
            raise InvalidRequest(
                f"{file.reference} holds no values of {spec.name!r} as it is here: take a sample of this profile by "
                "`darwin reward sample`",
                field="reference",
            )
    return {spec.name: samples[spec.name] for spec in transformed}


def _length_curve(file: ProfileFile) -> LengthCurve | None:
    if file.length_curve is None:
        return None
    from services.reward.identity import identity_of_components  # few profiles need it

    curve = read_curve(WEIGHTS / file.length_curve)
    if curve.components != identity_of_components(file):
        raise InvalidRequest(
            f"{file.length_curve} was fitted to the rewards of other components, weights or heads: "
            "fit one to this profile by `darwin reward calibrate`",
            field="length_curve",
        )
    return curve
