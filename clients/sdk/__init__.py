"""The HTTP API, typed: `Client` asks, `models` are the answers, `errors` what can go wrong.

The command line, the local stack and the end-to-end tests all talk to the service through this
package, so what it cannot say nobody relies on. `AsyncClient` (`async_client`) says the same for
programs that wait for many things at once; `waiting` waits for ends and goes through lists. In a
notebook answers are tables and trees (`notebook`).
"""
