"""Why a model cannot be loaded, in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from shared.errors import DarwinError, Unsupported
from shared.process.settings import reasons

_SETTING = "DARWIN_GENERATION_MODEL"
_LONGEST = 400


@contextmanager
def loading(model: str) -> Iterator[None]:
    """Adds the name of the setting to errors about the model.

    Raises:
        DarwinError: what was raised within, with the setting's name where it is about the model.
        Unsupported: whatever else a library raised, in the first line of its own words.
    """
    try:
        yield
    except DarwinError as error:
        if error.field != "model":
            raise
        raise type(error)(f"{_SETTING}: {error.message}", field="model") from error
    except Exception as error:  # foreign files, read by foreign libraries: anything may be wrong
        said = _first_line(error)
        # vLLM serves fewer kinds of models than transformers.
        hint = "; DARWIN_GENERATION_ENGINE=transformers may know it" if "rchitectures" in said else ""
        raise Unsupported(f"{_SETTING}: {model} cannot be loaded: {said}{hint}", field="model") from error


def _first_line(error: Exception) -> str:
    text = "; ".join(reasons(error)) if isinstance(error, ValidationError) else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:_LONGEST] if lines else type(error).__name__
