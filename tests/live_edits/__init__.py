"""Two hundred edits of the tenants' file, in every way, while pages and backends go on asking."""
