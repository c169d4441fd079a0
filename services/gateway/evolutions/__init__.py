"""From a valid request to an accepted evolution, and how it is followed and cancelled."""
