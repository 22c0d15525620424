"""What a `/connect` service sees: tokens, keys, and the doors of Flask, WSGI and ASGI."""
