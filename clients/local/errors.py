"""Why the local stack cannot do what it was asked to, and a way out of it."""


class LocalError(Exception):
    """One sentence about what is wrong, one about what to do."""

    def __init__(self, problem: str, way_out: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.way_out = way_out
