"""What a chat template is given beside the messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.errors import InvalidRequest
from shared.records.tools import Tool

RESERVED_ARGUMENTS = frozenset(
    {
        *("conversation", "messages", "tools", "documents", "chat_template", "add_generation_prompt", "tokenize"),
        *("continue_final_message", "padding", "truncation", "max_length", "return_tensors", "return_dict"),
        *("return_assistant_tokens_mask", "tokenizer_kwargs", "self", "strftime_now"),
    }
)
"""Names that belong to whoever calls the template, which no argument may have."""


@dataclass(frozen=True)
class TemplateInputs:
    """`now` is the time that the template prints, in Unix seconds; 0 stands for the clock's. It is told of the `tools`.
    `arguments` are JSON values, which come before those that the deployment gives it. So do those that stand for
    `effort`, one of `shared.records.efforts` or empty, but for what the arguments say.
    """

    now: float = 0.0
    tools: Sequence[Tool] = ()
    arguments: Mapping[str, object] = field(default_factory=dict)
    effort: str = ""


NOTHING_ELSE = TemplateInputs()


def check_arguments(arguments: Mapping[str, object], where: str) -> None:
    """Raises InvalidRequest, naming the field `where`, if a name is reserved."""
    reserved = sorted(RESERVED_ARGUMENTS & arguments.keys())
    if reserved:
        raise InvalidRequest(f"{where} may not hold {', '.join(reserved)}: leave it out", field=where)
