"""Authorizer: who may pass the gateway, and as whom.

One check of one kind of token (`passing`), two shapes of answer (`handler`): the HTTP API takes a
simple yes or no with context, the WebSocket API an IAM policy, asked at `$connect` alone. In the
`local` environment, and nowhere else, the header `x-osmo-user` is taken for a name, as OSMO's own
dev mode does.
"""
