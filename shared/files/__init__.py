"""Files that people have: their rows, and the questions and preferences in them as other tools write those."""
