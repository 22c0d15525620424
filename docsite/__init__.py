"""The documentation as a site: the pages that are made, and how all are put together."""
