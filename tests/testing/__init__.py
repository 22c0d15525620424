"""The server for other people's tests, and its pytest plugin."""
