"""Checkpoints that bring Python code of their own, which runs only where a component says that it may."""

from services.reward.specs import ModelSpec
from shared.errors import NotFound, Unsupported
from shared.text.tokenizers import first_line

_CLASS = "AutoModelForSequenceClassification"


def runs_own_code(spec: ModelSpec, folder: str) -> bool:
    """Whether the checkpoint is served by its own code, nothing of which has run so far.

    Raises:
        NotFound: there is no configuration.
        Unsupported: its code may not run, or nothing ensures that it is still what it was.
    """
    from transformers import CONFIG_MAPPING, PretrainedConfig

    wanted = "no config.json can be read: name a folder that holds it, or a Hugging Face id"
    try:
        raw, _ = PretrainedConfig.get_config_dict(folder, revision=spec.revision)
    except (OSError, ValueError) as error:
        raise NotFound(f"{wanted} ({first_line(error)})", field="model") from error
    if not raw:
        raise NotFound(wanted, field="model")
    offered = raw.get("auto_map") or {}
    if _CLASS not in offered and ("AutoConfig" not in offered or raw.get("model_type") in CONFIG_MAPPING):
        return False
    if not spec.trust_remote_code:
        raise Unsupported(
            "it has Python code of its own: set trust_remote_code: true in the component if that may run",
            field="trust_remote_code",
        )
    if _CLASS not in offered:
        raise Unsupported(f"its code offers no {_CLASS}, which a reward model needs", field="model")
    if any("--" in str(reference) for reference in offered.values()):
        raise Unsupported(
            "its code lies in another repository, which no revision pins: put it into the folder, and into auto_map "
            "without the repository",
            field="model",
        )
    return True
