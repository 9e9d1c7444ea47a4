"""What the use cases need of the world. `xylem.memory` and `xylem_aws` provide it, and one contract
suite (`tests/contract`) asks the same promises of both.

Every read on which a write is based is strongly consistent; a `Commit` is one transaction: all of
it or nothing. Rows are the truth, queues are doorbells: what a `Doorbell` loses costs a delay,
never a job.

A module for each subject, and types of the domain for type checkers alone wherever nothing reads
them at run time: a function that asks for sockets starts without what workflows are.
"""
