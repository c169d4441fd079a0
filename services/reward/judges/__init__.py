"""Language models that answer questions by yes or no: the generation service's own, or one at an endpoint."""
