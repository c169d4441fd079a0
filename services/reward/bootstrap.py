"""The only place where the reward service's parts are built."""

from collections.abc import Mapping
from pathlib import Path

from services.reward import metrics
from services.reward.length import LengthCurve, read_curve
from services.reward.profiles import SCORER_TYPES, ProfileFile, load_profiles, read_profile, single
from services.reward.rewarder import Component, Profile, Rewarder
from services.reward.runtime import Runtime
from services.reward.servicer import RewardServicer
from services.reward.settings import RewardSettings
from services.reward.specs import WEIGHTS
from services.reward.validation import ScoringLimits
from shared.errors import InvalidRequest, NotFound
from shared.pb.reward_pb2 import DESCRIPTOR
from shared.pb.reward_pb2_grpc import add_RewardServiceServicer_to_server
from shared.process.certificates import Certificates
from shared.rpc.service import Service


def build_service(rewarder: Rewarder) -> Service:
    """The service around a rewarder, which it starts and stops."""
    metrics.watch(rewarder)
    return Service(
        name="reward",
        grpc_names=[DESCRIPTOR.services_by_name["RewardService"].full_name],
        add_to_server=add_RewardServiceServicer_to_server,
        servicer=RewardServicer(rewarder),
        start=rewarder.start,
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
        NotFound, InvalidRequest: a profile's length curve does not exist, or is another profile's.
    """
    runtime = _runtime(settings)
    specs = {spec.scorer_key(): spec for file in files.values() for spec in file.components}
    scorers = {key: spec.create(runtime) for key, spec in specs.items()}
    return Rewarder(_profiles(files), default, scorers, ScoringLimits(), settings.max_batch)


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
    plain = profile.model_copy(update={"length_curve": None})
    return build_over({called: plain}, called, settings), identity_of_components(plain)


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


def _profiles(files: Mapping[str, ProfileFile]) -> dict[str, Profile]:
    profiles = {}
    for name, file in files.items():
        components = tuple(Component(spec.name, spec.weight, spec.scorer_key()) for spec in file.components)
        profiles[name] = Profile(name, file.description, components, _length_curve(file))
    return profiles


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
