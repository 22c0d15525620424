"""The tenants' file: read, checked, explained to editors, and edited."""
