"""Logger: takes what tasks print, gives it to people, and serves the Task Runtime.

`handler` routes: reading for people behind the gateway's authorizer, `/runtime/` for pods, whose
tokens are checked here, because one that has expired may be renewed while its attempt lives.
"""
