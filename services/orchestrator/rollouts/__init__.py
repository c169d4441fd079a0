"""Evolutions that have ended, as other versions of their reward profile see them: what a shadow would have decided, and
what a canary's judge says. Nobody's answer depends on it, and nobody waits for it."""
