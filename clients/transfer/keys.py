"""What opens a store for a person on this machine.

The keys of the longest prefix, of Xylem's own `config.yaml` before the one that OSMO's client keeps
(`$OSMO_CONFIG_FILE_DIR`, `$XDG_CONFIG_HOME/osmo` or `~/.config/osmo`). They have the same shape:

    auth:
      data:
        s3://bucket:
          access_key_id: ...
          access_key: ...
          region: us-east-1

`xylem credential set --type DATA` writes there what it sends to the service, which never shows it
again; the file is readable by its owner alone.

Without an entry: for S3 what AWS's own tools find (environment, profile, single sign-on, role), as
it is at the start: what outlives temporary keys fails, and is gone on with. For Google and Azure
what obstore finds in the environment and of the machine's identity.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from clients.sdk.errors import BadInput
from clients.sdk.login import write_private
from operators.shared.object_stores import Keys

FILE = "config.yaml"
NEEDED = ("access_key_id", "access_key")


class LocalKeys:
    def __init__(
        self, environ: Mapping[str, str], folder: Path, *, file: Path | None = None
    ) -> None:
        """`file`: instead of all others."""
        self._environ = environ
        self._folder = folder
        self._file = file

    def all(self) -> dict[str, Keys]:
        """By the URL below which they open. Raises `BadInput`."""
        if self._file is not None:
            if not self._file.exists():
                raise BadInput(f"{self._file} is not there")
            return _stores(self._file)
        return {**_stores(_osmo_folder(self._environ) / FILE), **_stores(self._folder / FILE)}

    def of(self, url: str) -> dict[str, Keys]:
        """For `Remote`: what is kept, or what AWS's tools would use."""
        kept = self.all()
        if not url.startswith("s3://") or any(f"{url}/".startswith(f"{each}/") for each in kept):
            return kept
        bucket = "/".join(url.split("/")[:3])
        return {**kept, bucket: _of_aws(bucket, self._environ)}

    def keep(self, profile: str, keys: Mapping[str, str]) -> Path:
        path = self._folder / FILE
        config = _config(path)
        _data(config, path)[profile.rstrip("/")] = {
            key: value for key, value in keys.items() if key != "endpoint"
        }
        self._write(path, config)
        return path

    def forget(self, profile: str) -> None:
        path = self._folder / FILE
        config = _config(path)
        if _data(config, path).pop(profile.rstrip("/"), None) is not None:
            self._write(path, config)

    def _write(self, path: Path, config: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, yaml.safe_dump(config, sort_keys=False))


def _osmo_folder(environ: Mapping[str, str]) -> Path:
    if chosen := environ.get("OSMO_CONFIG_FILE_DIR"):
        return Path(chosen)
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")) / ".config")
    return Path(home).expanduser() / "osmo"


def _config(path: Path) -> dict[str, Any]:
    """No message has a line of the file in it."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise BadInput(f"{path} cannot be read as YAML: mend it, or delete it") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadInput(f"{path} is no mapping: it has auth, data and URLs in it")
    return found


def _data(config: dict[str, Any], path: Path) -> dict[str, Any]:
    auth = config.setdefault("auth", {})
    data = auth.setdefault("data", {}) if isinstance(auth, dict) else None
    if not isinstance(data, dict):
        raise BadInput(f"{path} has no mapping at auth.data: it has a URL for each store")
    return data


def _stores(path: Path) -> dict[str, Keys]:
    stores: dict[str, Keys] = {}
    for url, keys in _data(_config(path), path).items():
        if not isinstance(keys, dict) or not all(isinstance(keys.get(key), str) for key in NEEDED):
            raise BadInput(f"{path}: {url} needs {' and '.join(NEEDED)}, each a text")
        kept = {str(key): str(value) for key, value in keys.items() if value is not None}
        stores[str(url).rstrip("/")] = kept
    return stores


def _of_aws(bucket: str, environ: Mapping[str, str]) -> dict[str, str]:
    """boto3 takes half a second to import, and is asked for nobody else."""
    import boto3  # noqa: PLC0415

    session = boto3.Session()
    credentials = session.get_credentials()
    if credentials is None:
        raise BadInput(
            f"nothing on this machine opens {bucket}: keep keys with `xylem credential set NAME "
            f"--type DATA --payload endpoint={bucket} access_key_id=... access_key=...`, or log in "
            "with AWS's own tools"
        )
    frozen = credentials.get_frozen_credentials()
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    found = {
        "access_key_id": frozen.access_key,
        "access_key": frozen.secret_key,
        "session_token": frozen.token,
        "region": session.region_name,
        "override_url": endpoint,
    }
    return {key: value for key, value in found.items() if value}
