"""The HTTP contract: routes, request and response bodies, validation, and what /openapi.json says of them."""
