"""`kataven-flask doctor`: against real servers, and behind proxies that misbehave."""
