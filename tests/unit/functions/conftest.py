"""What functions log goes to whoever looks now, not to the test that imported them first."""

import logging
import sys

import pytest


class _Stdout:
    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture(autouse=True)
def logs_are_seen_by_this_test() -> None:
    """Powertools' handler keeps the stream that stdout was at its import, in a captured test a file
    that is closed at its end."""
    if observability := sys.modules.get("xylem_aws.observability"):
        for handler in observability.logger.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.stream = _Stdout()
