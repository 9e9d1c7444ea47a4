"""Credentials: what a user keeps with the service. A payload goes in and never comes out here."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from functions.core_service import views
from functions.core_service.identity import User
from functions.core_service.names import NAME_CHARS
from functions.core_service.services import Has
from functions.core_service.text import Text, whole
from functions.core_service.views import View
from xylem.domain import credential
from xylem.domain.access import require
from xylem.domain.credential import Credential
from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import PoolName, UserName
from xylem.usecases import credentials

router = APIRouter(prefix="/api/credentials")


def _whole(secret: SecretStr) -> SecretStr:
    whole(secret.get_secret_value())
    return secret


Secret = Annotated[SecretStr, AfterValidator(_whole)]


class RegistryCredential(BaseModel):
    model_config = ConfigDict(extra="forbid")

    registry: Text = ""
    username: Text = ""
    auth: Secret


class DataCredential(BaseModel):
    model_config = ConfigDict(extra="forbid")

    endpoint: Text
    access_key_id: Secret
    access_key: Secret
    region: Text | None = None
    override_url: Text | None = None
    addressing_style: Text | None = None


class GenericCredential(BaseModel):
    model_config = ConfigDict(extra="forbid")

    credential: Mapping[Text, Secret]


class CredentialOptions(BaseModel):
    """Exactly one of them."""

    registry_credential: RegistryCredential | None = None
    data_credential: DataCredential | None = None
    generic_credential: GenericCredential | None = None


PoolQuery = Annotated[
    str | None,
    Query(max_length=NAME_CHARS, description="Instead of yours those that an admin keeps for it."),
]


@router.get("")
def list_credentials(who: User, has: Has, pool: PoolQuery = None) -> View:
    found = credentials.listed(_owner(pool, who, has), credentials=has.credentials)
    return {"credentials": [views.credential(one) for one in found]}


@router.post("/{name}")
def set_credential(
    name: str, body: CredentialOptions, who: User, has: Has, pool: PoolQuery = None
) -> None:
    credentials.set_credential(
        _owner(pool, who, has),
        _credential(name, body),
        credentials=has.credentials,
        clock=has.engine.clock,
    )


@router.delete("/{name}")
def delete_credential(name: str, who: User, has: Has, pool: PoolQuery = None) -> View:
    gone = credentials.delete(_owner(pool, who, has), name, credentials=has.credentials)
    return {"credentials": [views.credential(gone)]}


def _owner(pool: str | None, who: User, has: Has) -> UserName:
    """Raises `Forbidden`, `UnknownPool`."""
    if pool is None:
        return who.subject
    found = has.pools.pool(PoolName(pool)).name
    require(who, "config:Update", "config/pool", has.configs.roles)
    return credential.keeper_of(found)


def _credential(name: str, body: CredentialOptions) -> Credential:
    """Raises `InvalidRequest`."""
    given = (body.registry_credential, body.data_credential, body.generic_credential)
    match [one for one in given if one is not None]:
        case [RegistryCredential() as one]:
            return credential.registry(
                name, host=one.registry, username=one.username, auth=one.auth.get_secret_value()
            )
        case [DataCredential() as one]:
            return credential.data(
                name,
                endpoint=one.endpoint,
                access_key_id=one.access_key_id.get_secret_value(),
                access_key=one.access_key.get_secret_value(),
                region=one.region,
                override_url=one.override_url,
                addressing_style=one.addressing_style,
            )
        case [GenericCredential() as one]:
            payload = {key: value.get_secret_value() for key, value in one.credential.items()}
            return credential.generic(name, payload)
        case _:
            raise InvalidRequest(
                "Give exactly one of registry_credential, data_credential and generic_credential.",
                code="USER",
            )
