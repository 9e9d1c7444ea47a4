"""The HTTP API, typed: `Client` asks, `models` are the answers, `errors` what can go wrong.

The command line, the local stack and the end-to-end tests all talk to the service through this
package, so what it cannot say nobody relies on. It is synchronous: its callers wait for one answer
at a time, and an asynchronous twin would be a second copy of every method.
"""
