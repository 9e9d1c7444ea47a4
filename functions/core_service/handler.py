"""API Gateway's events in, FastAPI behind them. Everything is built once per cold start."""

from mangum import Mangum

from functions.core_service.api import Application
from xylem_aws.bootstrap import ports

handler = Mangum(Application(ports()), lifespan="off")
