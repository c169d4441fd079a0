"""How the orchestrator scales, on engines without models."""
