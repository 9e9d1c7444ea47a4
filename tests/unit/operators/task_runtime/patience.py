from threading import Event


class Patience(Event):
    """Waits in no time, and remembers for how long it would have. `lasts`: how many waits, until
    the pod is to end."""

    def __init__(self, lasts: int | None = None) -> None:
        super().__init__()
        self.waited: list[float] = []
        self._lasts = lasts

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waited.append(timeout)
        if self._lasts is not None and len(self.waited) > self._lasts:
            self.set()
        return self.is_set()
