"""The places where we take hold of ministack, and the check that they are still what we think.

A correction that hangs on a private function of a foreign package fails silently when that function
is renamed or gets another argument: the stock behaviour is simply back. So each correction lists
its seams, with the parameters it relies on, and the launcher refuses to start when one differs. A
new version is taken by changing `VERSION`, reading what the check says, and running
`tests/contract/embedded_aws`.
"""

import importlib
import importlib.metadata
import inspect
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

VERSION = "1.5.33"


class WrongMinistack(Exception):
    """The installed ministack is not the one whose seams we know."""


@dataclass(frozen=True, slots=True)
class Seam:
    """A name in a module of ministack (or of the server it runs on), or `Class.name`.

    `parameters` are those of the function; None is for a value, which only has to be there.
    """

    module: str
    name: str
    parameters: tuple[str, ...] | None = None

    def get(self) -> Any:
        return operator.attrgetter(self.name)(importlib.import_module(self.module))

    def put(self, value: Any) -> None:
        setattr(importlib.import_module(self.module), self.name, value)

    def wrap(self, wrapper: Callable[[Any], Any]) -> None:
        """Replace what is there by what `wrapper` makes of it."""
        self.put(wrapper(self.get()))

    def difference(self) -> str | None:
        """What is not as we know it, as a sentence; None when all is well."""
        try:
            found = self.get()
        except (ImportError, AttributeError):
            return f"{self.module}.{self.name} is missing"
        if self.parameters is None:
            return None
        parameters = tuple(inspect.signature(found).parameters)
        if parameters != self.parameters:
            return f"{self.module}.{self.name} takes {parameters}, not {self.parameters}"
        return None


def check_version() -> None:
    try:
        installed = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        raise WrongMinistack(
            "ministack is not installed for this interpreter: run "
            "`python -m clients.local.embedded_aws.install` and start the server with the "
            "interpreter below build/embedded-aws/venv"
        ) from None
    if installed != VERSION:
        raise WrongMinistack(
            f"ministack {installed} is installed, but the corrections are written for {VERSION}: "
            "run `python -m clients.local.embedded_aws.install`"
        )


def check(seams: Iterable[Seam]) -> None:
    """Raise unless every seam is where we left it."""
    differences = [text for seam in seams if (text := seam.difference()) is not None]
    if differences:
        raise WrongMinistack(
            f"ministack {VERSION} is not as the corrections know it: {'; '.join(differences)}"
        )
