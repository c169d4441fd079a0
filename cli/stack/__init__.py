"""The embedded stack: every process of Darwin on this machine, on free loopback ports."""

from cli.stack.programs import StackSettings
from cli.stack.stack import Stack, StackError

__all__ = ["Stack", "StackError", "StackSettings"]
