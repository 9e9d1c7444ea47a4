"""Why an image cannot be had: pure.

Nothing is pulled here (docs/desk-cluster.md), so any name that could be an image's is as good as
there. Two are not, so that what follows from it can be seen: one that is no name, and one below
`.invalid`, where no registry can ever be (RFC 2606).
"""

from __future__ import annotations

import re

from operators.desk_cluster.kubelet.lifecycle import Blocked

# github.com/distribution/reference, regexp.go
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*(?::{_TAG})?(?:@{_DIGEST})?")


def obstacle(image: str) -> Blocked | None:
    if not _REFERENCE.fullmatch(image):
        message = f'Failed to apply default image tag "{image}": couldn\'t parse image name'
        return Blocked("InvalidImageName", f"{message}: invalid reference format")
    registry = image.partition("/")[0].partition(":")[0]
    if "/" in image and registry.endswith(".invalid"):
        return Blocked("ImagePullBackOff", f'Back-off pulling image "{image}": no such host')
    return None
