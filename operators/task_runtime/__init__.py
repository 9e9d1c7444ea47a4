"""The Task Runtime's sidecar: everything around a task's command that needs the network.

    runtime      the life of one task, pure: what happened in, what to do out
    logs         which bytes of the spool are sent when, pure
    masking      what of them goes out: without secrets, pure
    data         inputs down, outputs up, over presigned URLs
    stores       the same at URLs of object stores, by the one library that the sidecar has
    checkpoints  what is copied to such a URL while the command runs
    api          the Logger's routes under /runtime/: the token, patience
    http1        one HTTP/1.1 exchange over one kept connection
    spool        the file that the wrapper and we write, and we send
    __main__     threads around them

It starts in every pod and has 100 ms of CPU for all it does there, the start of its interpreter
included (`tests/contract/task_runtime` measures it). That decides its style: the standard library
only, and of that what imports quickly. `http.client` with its mail parser costs 35 ms,
`dataclasses` 15, `urllib` 10, `pydantic` more than all there is; so exchanges are an own page of
code, values are named tuples, and words on the wire are dictionaries that `tests/wire` holds
against the models. `stores`, whose library takes 20 ms, is imported for tasks with URLs alone.

Rejected: the sidecar in Go or C as well (fast, but the retries, the transfers and the masking are
better read, tested and changed in the language of the rest), and a task's command that starts only
when the sidecar is up (most tasks have nothing to wait for).
"""
