"""The embedded stack: every process of Darwin on this machine, on free loopback ports."""

import os

# Before grpc is imported: processes are started by forking, and what gRPC does after a fork sometimes ends the child
# before it becomes another program.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

from cli.stack.programs import StackSettings
from cli.stack.stack import Stack, StackError

__all__ = ["Stack", "StackError", "StackSettings"]
