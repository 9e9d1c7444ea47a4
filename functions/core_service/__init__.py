"""Core Service: everything that people and their programs ask for over HTTP.

`handler` is the entry point, `api` puts the application together, `routes/` hold the operations by
subject, `views` say how a workflow looks on the wire, `identity` who is asking, and `errors` what
an error of the domain is in HTTP. Paths, parameters and answers are OSMO's wherever it has them;
what is ours alone stands beside them.
"""

from importlib import import_module

from pydantic import BaseModel

# FastAPI brings forty models of OpenAPI's, which no request needs: they are built when they are
# first used, and not for 40 ms of every cold start.
BaseModel.model_config["defer_build"] = True
import_module("fastapi")
del BaseModel.model_config["defer_build"]
