"""Connections: who is connected to the WebSocket API, from `$connect` to `$disconnect`.

The authorizer has checked the token before `$connect` runs; what it found out is noted beside the
connection's id, so that a principal's sockets can be found and closed. `$disconnect` is best
effort on API Gateway: rows that it did not take away expire.
"""
