"""The service's description as OpenAPI 3.1, and the page that shows it to a person."""
