"""URLs of object stores, in OSMO's five schemes. Who may read or write there is not asked here: the
credentials of the user decide, and the store does.

    s3://bucket[/path]          gs://bucket[/path]          tos://endpoint/bucket[/path]
    azure://account/container[/path]                        swift://host/account/container[/path]

OSMO answers 500 for a scheme that it does not know, or for a URL without one.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field

from xylem.spec.model import fault, shown

FORMS: Mapping[str, str] = MappingProxyType(
    {
        "s3": "s3://BUCKET/PATH",
        "gs": "gs://BUCKET/PATH",
        "tos": "tos://ENDPOINT/BUCKET/PATH",
        "azure": "azure://ACCOUNT/CONTAINER/PATH",
        "swift": "swift://HOST/ACCOUNT/CONTAINER/PATH",
    }
)
_REQUIRED: Mapping[str, int] = MappingProxyType(
    {"s3": 1, "gs": 1, "tos": 2, "azure": 2, "swift": 3}
)
"""How many parts have to be there; what follows is the path, which may be empty."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

PATTERN = r"^\s*(s3|gs)://[^/]|^\s*(tos|azure)://[^/]+/[^/]|^\s*swift://[^/]+/[^/]+/[^/]|\{\{"
"""For editors; a variable of the template may be all of it."""


def storage_url(text: str) -> str:
    """The URL without the space around it. Raises a `fault`."""
    url = text.strip()
    found = _SCHEME.match(url)
    known = ", ".join(FORMS.values())
    if found is None:
        raise fault(f"{shown(text)} is no URL of an object store: write one of {known}.")
    scheme = found[1]
    if scheme not in FORMS:
        raise fault(f"{shown(text)} has the scheme {scheme}, which is unknown: write {known}.")
    if _CONTROL.search(url):
        raise fault(f"{shown(text)} has a control character, which no URL has. Take it out.")
    parts = url[found.end() :].split("/")
    required = _REQUIRED[scheme]
    if len(parts) < required or not all(parts[:required]):
        raise fault(f"{shown(text)} is not complete: write {FORMS[scheme]}.")
    return url


StorageUrl = Annotated[
    str, AfterValidator(storage_url), Field(json_schema_extra={"pattern": PATTERN})
]
