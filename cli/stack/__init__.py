"""The embedded stack: every process of Darwin on this machine, on free loopback ports."""

from cli.stack.stack import Stack, StackError, StackSettings

__all__ = ["Stack", "StackError", "StackSettings"]
