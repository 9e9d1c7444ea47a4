"""Core Service: everything that people and their programs ask for over HTTP.

`handler` is the entry point, `api` puts the application together, `routes/` hold the operations by
subject, `views` say how a workflow looks on the wire, `identity` who is asking, and `errors` what
an error of the domain is in HTTP. Paths, parameters and answers are OSMO's wherever it has them;
what is ours alone stands beside them.
"""
