"""The evolution as a pure state machine: no clock, no I/O, no framework."""
