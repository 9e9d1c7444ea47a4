"""What a task keeps for later, copied to an object store while it runs, and once at its end.

The copier is the sidecar's and sees what pod and task share, the folders below `/osmo/data`. What
lies elsewhere in the task's container nobody copies: that container has neither certificates nor
keys, and shall not have them. Such a checkpoint is refused in the log before anything is lost.

A copy that fails while the command runs is said and tried again at its next time; the last one
fails the task. What did not change since it was copied is not copied again.
"""

# pathlib takes 8 ms to import.
# ruff: noqa: PTH110

import os
from collections.abc import Mapping
from threading import Event, Lock
from typing import Any

from operators.shared.files import Say, TransferFailed
from operators.shared.patience import Stopped


class Checkpoint:
    """`data`: the folder that is shared. `ended` is set when the command is over."""

    def __init__(
        self,
        wanted: Mapping[str, Any],
        *,
        data: str,
        stores: Mapping[str, Mapping[str, str]],
        say: Say,
    ) -> None:
        self.ended = Event()
        self._path = os.path.normpath(str(wanted["path"]))
        self._url = str(wanted["url"])
        self._regex = str(wanted.get("regex", ""))
        self._seconds = float(wanted["frequency"])
        self._data = data
        self._stores = stores
        self._say = say
        self._sent: dict[str, tuple[int, int]] = {}
        self._one_at_a_time = Lock()

    def keep(self) -> None:
        """Until the command is over."""
        if not self._is_seen(self._path, self._data):
            self._say(
                f"Checkpoint {self._path} is not copied: only what lies below {self._data} is seen "
                "from outside of the task's container. Let the task write it there."
            )
            return
        while not self.ended.wait(self._seconds):
            try:
                self._copy(self.ended)
            except Stopped:
                return
            except Exception as error:  # a thread that dies silently would copy nothing any more
                self._say(f"Copying checkpoint {self._path} failed, it is tried again: {error}")

    def copy_last(self, stop: Event) -> None:
        """Raises `TransferFailed`, `Stopped`, `OSError`."""
        if self._is_seen(self._path, self._data):
            self._copy(stop)

    def _copy(self, stop: Event) -> None:
        with self._one_at_a_time:
            if not os.path.exists(self._path):
                return
            if not self._is_seen(os.path.realpath(self._path), os.path.realpath(self._data)):
                raise TransferFailed(f"{self._path} is a link that leaves {self._data}.")
            from operators.task_runtime import stores  # noqa: PLC0415 - 20 ms

            stores.upload(
                self._url,
                self._regex,
                self._path,
                self._stores,
                what="checkpoint",
                say=self._say,
                stop=stop,
                sent=self._sent,
            )

    @staticmethod
    def _is_seen(path: str, folder: str) -> bool:
        return path.startswith(f"{folder}/")
