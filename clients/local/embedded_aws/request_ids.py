"""Identifiers that have to be distinct, not secret.

They come from `random`: the kernel's generator costs a system call for each, several times for each
request. Ids that let somebody do something (connection ids) come from the kernel.
"""

import base64
import random
import uuid


def lambda_request_id() -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def gateway_request_id() -> str:
    """16 characters that end in `=`, as API Gateway's."""
    return base64.b64encode(random.randbytes(11)).decode()


def trace_header(now: float) -> str:
    """https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-traceids"""
    root = f"1-{int(now):08x}-{random.getrandbits(96):024x}"
    return f"Root={root};Parent={random.getrandbits(64):016x};Sampled=0"
