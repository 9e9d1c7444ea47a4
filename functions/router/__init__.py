"""Router: subscribes sockets to what they want to be told, and pairs them.

This release follows logs (`protocol/following`) and has no sessions to pair yet. What else it is
asked for is refused in words, so that a client that is newer than the service says so instead of
waiting.
"""
