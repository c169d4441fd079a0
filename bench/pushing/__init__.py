"""How soon a pushed profile is in effect everywhere, and what loading its models costs everybody else."""
