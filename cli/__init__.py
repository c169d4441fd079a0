"""The `darwin` command."""
