"""`darwin replay` and `darwin show`: a recorded evolution, looked at afterwards."""
