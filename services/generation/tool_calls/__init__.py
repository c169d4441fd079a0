"""Reads calls of tools from responses, in the form in which the model's chat template writes them."""
