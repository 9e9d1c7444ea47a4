"""Agent: hears the operators and turns their news into state.

`ingest` takes frames from the WebSocket API: it greets, splits news by workflow and queues it, and
decides nothing. `handler` drains the queue: it folds all news of a workflow in its batch into one
commit, and acknowledges what that commit made durable.
"""
