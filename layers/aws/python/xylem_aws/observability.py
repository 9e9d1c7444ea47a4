"""One logger and one metrics buffer per process, and traces where the environment wants them.

The core returns facts and logs nothing. A log line never holds a token, a body or a message of a
user's: what is logged is who, which and what came of it.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

from aws_lambda_powertools import Logger, Metrics

from xylem_aws.settings import Settings

logger = Logger()
metrics = Metrics(namespace="xylem")

Handler = TypeVar("Handler", bound=Callable[..., Any])


def traced(handler: Handler) -> Handler:
    """With a trace of each invocation and of its calls to AWS. The X-Ray SDK takes as long to
    import as all of boto3, so it is left out where nobody looks at traces, and ingest does without
    it everywhere."""
    if not Settings(os.environ).traced:
        return handler
    from aws_lambda_powertools import Tracer  # noqa: PLC0415 - see above

    return cast("Handler", Tracer().capture_lambda_handler(handler, capture_response=False))
