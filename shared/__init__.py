"""What two or more processes use. Imports run down only: healthcheck, rpc, telemetry, store | process | text, records, errors."""
