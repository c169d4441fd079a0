"""The inspector: the page at `/`, and the routes that list, record and compare evolutions for it."""
