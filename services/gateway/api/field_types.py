"""The types that bodies of requests are declared with."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

MAX_TEXT = 1_000_000
"""Characters of one text at most; a body's limit is mostly reached before."""


class Body(BaseModel):
    """A JSON object with these fields and no other; values are of the type declared, and none is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text: it holds an unpaired surrogate") from None
    return text


ENCODABLE = AfterValidator(_encodable)
"""Has a field refuse what is no Unicode text."""
Text = Annotated[str, ENCODABLE]
