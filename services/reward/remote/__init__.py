"""Reward models at servers of the user's, reached over HTTP."""
