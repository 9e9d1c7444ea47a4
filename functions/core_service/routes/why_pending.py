"""Why a workflow does not run."""

from fastapi import APIRouter

from functions.core_service import views
from functions.core_service.identity import User, require_read
from functions.core_service.names import Name
from functions.core_service.services import Has, clusters_of
from functions.core_service.views import View
from xylem.usecases import why_pending

router = APIRouter(prefix="/api/workflow/{name}/why-pending")


@router.get("")
def get_why_pending(name: Name, who: User, has: Has) -> View:
    """Ours: what each group that does not run waits for, since when, and what would change it."""
    facts = why_pending.asked(
        name,
        workflows=has.engine.workflows,
        jobs=has.jobs,
        pools=has.pools,
        clusters=clusters_of(has),
        store=has.engine.store,
    )
    require_read(who, facts.workflow, has)
    return views.why_pending(facts, why_pending.explained(facts))
