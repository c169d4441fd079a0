"""What holds for every call: API keys, rates, limits, errors, strict JSON, the HTTP protocol and telemetry."""
