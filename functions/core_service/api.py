"""The application: routes, errors, and the services they work with."""

from fastapi import FastAPI

from functions.core_service import errors
from functions.core_service.routes import (
    configs,
    credentials,
    jobs,
    pools,
    service,
    workflows,
)
from functions.core_service.services import Services


def create_app(services: Services) -> FastAPI:
    app = FastAPI(
        title="Xylem",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to a host that no client knows: the gateway's own
    )
    app.state.services = services
    errors.install(app)
    for module in (workflows, pools, configs, credentials, jobs, service):
        app.include_router(module.router)
    return app
