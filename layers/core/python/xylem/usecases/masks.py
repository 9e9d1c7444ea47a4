"""What the Logger masks, though the pod should have: a sidecar of an earlier release, or one with a
mistake, sends what the task printed.

The secrets are opened once for each attempt that a process stores something of, never again for a
batch. What that gives up: a secret over the border of two batches is not found here, because each
batch is looked at alone; nor is one of a task that runs for longer than the list is kept.
"""

from collections import OrderedDict
from collections.abc import Callable

from xylem.ports.task_secrets import TaskSecrets
from xylem.ports.task_tokens import Attempt
from xylem.protocol.masking import Masker

REMEMBERED = 200
"""Attempts. What is looked for of a secret is some ten times as long as the secret."""


class KnownMasks:
    """One for a process."""

    def __init__(self) -> None:
        self._maskers: OrderedDict[tuple[Attempt, str], Masker] = OrderedDict()

    def of(self, attempt: Attempt, token: str, secrets: TaskSecrets) -> Callable[[bytes], bytes]:
        """Of records of this attempt, whose pod has that token. Nothing is read before it is
        called."""

        def mask(records: bytes) -> bytes:
            masker = self._maskers.pop((attempt, token), None)
            if masker is None:
                masker = Masker([token, *secrets.of(attempt.group, attempt.incarnation)])
            self._maskers[attempt, token] = masker
            if len(self._maskers) > REMEMBERED:
                self._maskers.popitem(last=False)
            return masker.complete(records)

        return mask
