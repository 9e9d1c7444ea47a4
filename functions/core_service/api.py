"""The application: routes, errors, and the services they work with."""

from fastapi import FastAPI

from functions.core_service import errors
from functions.core_service.routes import pools, service, workflows
from functions.core_service.services import Services


def create_app(services: Services) -> FastAPI:
    app = FastAPI(
        title="Xylem",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    errors.install(app)
    for module in (workflows, pools, service):
        app.include_router(module.router)
    return app
