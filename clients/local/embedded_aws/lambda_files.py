"""Unpacks the code of functions and layers, once for each content, ready to be put on `sys.path`.

Folders are named by the hash of the ZIP and appear by rename, so what is there is complete, and two
processes that start at the same time share it. Stock ministack unpacks both again for each process,
which makes a cold start with a 32 MB layer 1.2 s instead of 0.15.
"""

import hashlib
import io
import shutil
import sys
import uuid
import zipfile
from pathlib import Path


class LambdaFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # By identity, see StateFiles: the ZIP of a layer is large and asked for at each cold start.
        self._known: dict[int, tuple[bytes, Path]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def unpack(self, content: bytes) -> Path:
        if (known := self._known.get(id(content))) is not None:
            return known[1]
        target = self._folder / hashlib.sha256(content).hexdigest()[:32]
        if not target.exists():
            # Named for the process and moment: a start that was killed here leaves only litter.
            temporary = self._folder / f"{target.name}.{uuid.uuid4().hex}.part"
            _extract(content, temporary)
            try:
                temporary.rename(target)
            except OSError:
                shutil.rmtree(temporary)  # another thread was faster
        self._known[id(content)] = (content, target)
        return target

    def keep_only(self, contents: list[bytes]) -> None:
        """Remove what belongs to no function any more. For the start: nothing runs yet."""
        wanted = {self.unpack(content).name for content in contents}
        for folder in self._folder.iterdir():
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)


def layer_paths(layer: Path) -> list[Path]:
    """The folders of an unpacked layer that Python looks into.

    https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [layer / "python" / "lib" / version / "site-packages", layer / "python"]
    return [path for path in candidates if path.is_dir()]


def _extract(content: bytes, target: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(target)
        for entry in archive.infolist():
            mode = entry.external_attr >> 16 & 0o777
            if mode and not entry.is_dir():  # ZipFile forgets what is executable
                (target / entry.filename).chmod(mode | 0o400)
