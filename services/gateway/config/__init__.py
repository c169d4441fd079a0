"""What a deployment can set about its gateway, and how the settings of a search become fields of a model."""
