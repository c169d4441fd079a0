"""Tells what a model thinks from what it answers, by the marks that its chat template puts around thoughts."""
