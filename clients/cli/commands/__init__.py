"""One module for each word after `xylem`; `clients.cli.lazy` has the list."""
