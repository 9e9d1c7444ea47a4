"""Files between this machine and an object store: side by side, verified, and gone on with.

    remote = Remote("s3://bucket/run-7", LocalKeys(os.environ, folder).of("s3://bucket/run-7"))
    upload(remote, files_of([Path("models")], say=print), watch=watch)
    download(remote, list(remote.listed()), Path("here"), resume=True, watch=watch)

`Remote` is one URL of a store (`operators/shared/object_stores`, which a task's sidecar uses, too):
it lists, gets, puts, deletes and checks. `keys` finds what opens it on this machine. `engine` moves
many files through it by threads: the bytes go through Rust, outside of Python's lock, so several
processes would win nothing. `presigned` moves what the service signs. Whoever has keys of its own,
or names objects in its own way, calls `Remote.put`, `Remote.put_bytes` and `Remote.fetch` by
`work.side_by_side`.

Every failure is a `TransferFailed` (`operators/shared/files`) that says what to change;
`as_bad_input` makes it one of the client's errors.
"""
