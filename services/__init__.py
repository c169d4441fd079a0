"""One package for each process; none imports another."""

from shared.telemetry.environment import settle

# Before any module of any process imports OpenTelemetry, which reads variables then.
settle()
