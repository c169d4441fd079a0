"""Settings, certificates, start and stop of a process, and the ready file by which others find it."""
