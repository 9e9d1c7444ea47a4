"""One JSON file for each service, and beside them, once each, the large bytes that they hold.

The files are ministack's in shape (its own encoder and decoder write and read the parts), with one
difference: bytes of a megabyte would be base64 in the JSON, and are written again with every change
of anything in that service. A Lambda layer has 30 of them. So large bytes become files named by
their hash and the JSON refers to them.

A file is replaced by rename, so a crash leaves the old one or the new one, never half.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

BLOB = "__xylem_blob__"

# Below it the reference is hardly shorter than the bytes.
LARGE_BYTES = 64 * 1024


class StateFiles:
    def __init__(
        self,
        folder: Path,
        *,
        encode: Callable[[Any], Any],
        decode: Callable[[dict[str, Any]], Any],
    ) -> None:
        """`encode` and `decode` are ministack's own hooks for what JSON does not know."""
        self._folder = folder
        self._blobs = folder / "blobs"
        self._encode = encode
        self._decode = decode
        self._saved: dict[str, str] = {}
        # By identity, because hashing 30 MB at each save is what this is to avoid. The bytes are
        # kept so that their identity is not given to others.
        self._named: dict[int, tuple[bytes, str]] = {}
        self._blobs.mkdir(parents=True, exist_ok=True)

    def save(self, service: str, state: Any, *, version: int) -> bool:
        """Write the state of a service, unless it is what is there. True: it was written."""
        text = json.dumps(
            {"__ministack_format__": version, "payload": state}, default=self._encode_value
        )
        if self._saved.get(service) == text:
            return False
        path = self._path(service)
        temporary = path.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
        self._saved[service] = text
        return True

    def load(self, service: str) -> Any:
        """The saved state of a service; None when there is none."""
        try:
            text = self._path(service).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return json.loads(text, object_hook=self._decode_value)["payload"]

    def forget_unused_blobs(self) -> None:
        """Remove the bytes that no saved state refers to. For the start: nothing is half saved."""
        texts = [path.read_text(encoding="utf-8") for path in self._folder.glob("*.json")]
        for blob in self._blobs.iterdir():
            if not any(blob.name in text for text in texts):
                blob.unlink()

    def _path(self, service: str) -> Path:
        return self._folder / f"{service}.json"

    def _encode_value(self, value: Any) -> Any:
        if isinstance(value, bytes) and len(value) >= LARGE_BYTES:
            return {BLOB: self._blob(value)}
        return self._encode(value)

    def _decode_value(self, value: dict[str, Any]) -> Any:
        if BLOB in value:
            return (self._blobs / value[BLOB]).read_bytes()
        return self._decode(value)

    def _blob(self, content: bytes) -> str:
        if (known := self._named.get(id(content))) is not None:
            return known[1]
        name = hashlib.sha256(content).hexdigest()
        path = self._blobs / name
        if not path.exists():
            temporary = path.with_suffix(".new")
            temporary.write_bytes(content)
            with contextlib.suppress(FileNotFoundError):
                temporary.replace(path)
        self._named[id(content)] = (content, name)
        return name
