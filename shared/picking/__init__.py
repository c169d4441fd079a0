"""Which of the final responses of a search is the answer."""
