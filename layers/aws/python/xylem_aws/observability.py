"""One logger, one tracer, one metrics buffer per process. The core returns facts and logs nothing.

A log line never holds a token, a body or a message of a user's: what is logged is who, which and
what came of it.
"""

from aws_lambda_powertools import Logger, Metrics, Tracer

logger = Logger()
tracer = Tracer()
metrics = Metrics(namespace="xylem")
