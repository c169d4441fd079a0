"""A penalty for answers that have not the form that the conversation demands."""
