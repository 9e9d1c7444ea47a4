"""The HTTP of the desk cluster: paths, discovery, tables, watches and logs, as kubectl expects
them."""
