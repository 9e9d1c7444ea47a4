"""Faults by the thousand: the real use cases, machines and operator parts in one process, under a
scheduler that duplicates, reorders, delays, drops, crashes, pauses and deletes.

    schedule   virtual time, one source of chance, what happened last
    store      the rows, and ports that a Lambda may die at, before and after each write
    service    Lambdas, queues and sweeps as AWS runs them
    sockets    the WebSocket API between them
    cluster    a Kubernetes with a kubelet, a garbage collector and people
    sidecars   the sidecars of pods's pods: the real machine, its wrapper and its barrier
    operator   an operator's process: the real link, Listener, Worker and lease, request by request
    oracle     what must hold, looked at after each commit and each start of a command
    costs      what a schedule writes, against formulas of what happened in it
    world      one schedule: all of it, wired; faults until some moment, then everything must end
    defects    mistakes that must be noticed
    shrink     what fails, made short
    exhaust    a small scope without chance: every state that it can come to

One seed is one schedule: `python -m tests.simulation --seed 7 --runs 1` does the same each time.
Rejected: threads and a real clock (no failure would come twice), and models of our parts in place
of the parts (they would be right where the parts are wrong).
"""
