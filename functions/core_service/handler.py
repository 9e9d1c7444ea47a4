"""API Gateway's events in, FastAPI behind them. Everything is built once per cold start."""

from mangum import Mangum

from functions.core_service.api import create_app
from functions.core_service.services import Services
from xylem_aws.bootstrap import ports

services = Services(
    engine=ports(),
    pools=ports().pools,
    configs=ports().configs,
    backends=ports().backends,
    jobs=ports().jobs,
    credentials=ports().credentials,
    dead_letters=lambda: ports().dead_letters,
)
handler = Mangum(create_app(services), lifespan="off")
