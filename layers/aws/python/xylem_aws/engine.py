"""The engine of the use cases, put together from the ports of this process."""

import time

from xylem.usecases.apply import Engine
from xylem_aws.bootstrap import Ports


def engine(has: Ports) -> Engine:
    return Engine(
        workflows=has.workflows,
        doorbell=has.doorbell,
        backends=has.backends,
        links=has.links,
        store=has.store,
        clock=has.clock,
        ids=has.ids,
        wait=time.sleep,
    )
