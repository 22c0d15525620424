"""The description of the service, its examples, and every answer held against it."""
