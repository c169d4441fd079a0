"""`darwin eval`: methods compared at equal compute, judged by a model that selected nothing."""
