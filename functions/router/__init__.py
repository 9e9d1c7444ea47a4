"""Router: pairs a user's socket with an operator's socket.

This release has no sessions to pair yet. What it is asked for is refused in words, so that a client
that is newer than the service says so instead of waiting.
"""
