"""Known vulnerabilities of what is installed, asked for by `make check`."""
