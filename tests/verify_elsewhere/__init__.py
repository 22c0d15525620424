"""Session tokens of a real server, verified in other languages and by other libraries."""
