"""One package for each process; none imports another."""
