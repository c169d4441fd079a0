"""Tools that a model may call, and calls of them, as gateway, orchestrator and generation pass them on."""

from dataclasses import dataclass
from typing import Literal

ToolChoice = Literal["none", "auto", "required"]


@dataclass(frozen=True)
class Tool:
    """A function that a model may call. `parameters` is a JSON schema as JSON text, empty where there are none."""

    name: str
    description: str = ""
    parameters: str = ""
    strict: bool = False


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool. `arguments` is JSON text as the model wrote it; `id` is by which a result names its call."""

    name: str
    arguments: str
    id: str = ""


@dataclass(frozen=True)
class ToolUse:
    """The tools of a request. Where `choice` is "required", `name` is the tool that must be called, empty for any.

    Without `parallel`, an answer holds one call at most. With `as_functions` the caller knows tools by OpenAI's older
    name, and gets answers in their shape.
    """

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = "auto"
    name: str = ""
    parallel: bool = True
    as_functions: bool = False

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools that the model is told of: none where it must not call."""
        return () if self.choice == "none" else self.tools
