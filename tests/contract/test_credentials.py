"""What every `Credentials` promises; and of AWS's, that nobody reads a secret from a row."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import NOON
from tests.contract.conftest import A_RING, REGION, Stores
from xylem.domain.credential import Credential, data, generic
from xylem.domain.errors import Conflict, Unavailable
from xylem.domain.ids import UserName
from xylem_aws import clients
from xylem_aws.credentials import DynamoCredentials
from xylem_aws.envelopes import Envelopes
from xylem_aws.keys import KeyRing

ALICE, BOB = UserName("alice"), UserName("bob")
SECRET = "correct horse battery staple"


def a_token(name: str = "token", value: str = SECRET) -> Credential:
    return generic(name, {"value": value})


def a_store(name: str = "store", key: str = SECRET) -> Credential:
    return data(name, endpoint="s3://bucket", access_key_id="id", access_key=key)


def keep(stores: Stores, credential: Credential, replacing: str | None = None) -> None:
    stores.credentials.put(ALICE, credential, replacing=replacing, now=NOON)


def test_what_was_kept_is_opened_again_and_listed_without_its_values(stores: Stores) -> None:
    keep(stores, a_token())
    keep(stores, a_store())

    assert stores.credentials.open(ALICE, "token") == a_token()
    assert stores.credentials.open(ALICE, "store") == a_store()
    listed = stores.credentials.all(ALICE)
    assert listed == [a_store().known, a_token().known]
    assert listed[0].keys == ("access_key", "access_key_id", "endpoint")
    assert SECRET not in repr(listed)


def test_nobody_sees_anothers(stores: Stores) -> None:
    keep(stores, a_token())

    assert stores.credentials.all(BOB) == []
    assert stores.credentials.open(BOB, "token") is None


def test_a_name_that_is_taken_stays_with_the_first(stores: Stores) -> None:
    keep(stores, a_token())

    with pytest.raises(Conflict):
        keep(stores, a_token(value="another"))
    assert stores.credentials.open(ALICE, "token") == a_token()


@pytest.mark.parametrize("name", ["store", "renamed"])
def test_one_takes_the_place_of_another(stores: Stores, name: str) -> None:
    keep(stores, a_store())
    keep(stores, a_store(name, "newer"), replacing="store")

    assert stores.credentials.all(ALICE) == [a_store(name).known]
    assert stores.credentials.open(ALICE, name) == a_store(name, "newer")


@pytest.mark.parametrize("name", ["store", "renamed"])
def test_what_is_gone_cannot_be_replaced(stores: Stores, name: str) -> None:
    with pytest.raises(Conflict):
        keep(stores, a_store(name), replacing="store")
    assert stores.credentials.all(ALICE) == []


def test_a_replacement_takes_no_name_of_a_third(stores: Stores) -> None:
    keep(stores, a_store())
    keep(stores, a_token())

    with pytest.raises(Conflict):
        keep(stores, a_store("token"), replacing="store")
    assert stores.credentials.all(ALICE) == [a_store().known, a_token().known]


def test_what_was_deleted_is_gone_and_may_be_deleted_again(stores: Stores) -> None:
    keep(stores, a_token())
    stores.credentials.delete(ALICE, "token")
    stores.credentials.delete(ALICE, "token")

    assert stores.credentials.open(ALICE, "token") is None
    assert stores.credentials.all(ALICE) == []


def test_no_text_of_a_credential_has_its_secret(stores: Stores) -> None:
    keep(stores, a_token())

    assert SECRET not in repr(stores.credentials.open(ALICE, "token"))


# Of DynamoDB alone: what lies in the rows -------------------------------------------------------


def items() -> list[dict[str, Any]]:
    """As botocore has them."""
    return clients.dynamodb(REGION).scan(TableName="identity")["Items"]


def put_item(item: dict[str, Any]) -> None:
    clients.dynamodb(REGION).put_item(TableName="identity", Item=item)


def on_aws(read: Callable[[], KeyRing]) -> DynamoCredentials:
    return DynamoCredentials(REGION, "identity", Envelopes(read))


def a_ring(active: str, *kids: str) -> KeyRing:
    keys = {kid: base64.b64encode(kid.encode() * 16).decode() for kid in kids}
    return KeyRing(active, keys)


needs_dynamodb = pytest.mark.parametrize("stores", ["dynamodb"], indirect=True)


@needs_dynamodb
def test_no_row_has_a_secret_and_each_names_its_key(stores: Stores) -> None:
    keep(stores, a_token())

    [item] = items()
    assert SECRET not in repr(item)
    assert SECRET.encode() not in item["sealed"]["B"]
    assert item["sealed_by"] == {"S": A_RING.active}


@needs_dynamodb
@pytest.mark.parametrize(("user", "name"), [("bob", "token"), ("alice", "other")])
def test_a_secret_that_was_put_into_anothers_row_does_not_open(
    stores: Stores, user: str, name: str
) -> None:
    keep(stores, a_token())
    [item] = items()
    put_item({**item, "pk": {"S": f"U#{user}"}, "sk": {"S": f"CRED#{name}"}})

    with pytest.raises(ValueError, match="another place"):
        stores.credentials.open(UserName(user), name)


@needs_dynamodb
def test_a_secret_that_was_changed_does_not_open(stores: Stores) -> None:
    keep(stores, a_token())
    [item] = items()
    sealed = bytearray(item["sealed"]["B"])
    sealed[-1] ^= 1
    put_item({**item, "sealed": {"B": bytes(sealed)}})

    with pytest.raises(ValueError, match="does not open"):
        stores.credentials.open(ALICE, "token")


@needs_dynamodb
def test_a_key_is_replaced_without_a_restart(stores: Stores) -> None:
    rings = [a_ring("k1", "k1")]
    old = on_aws(lambda: rings[-1])
    old.put(ALICE, a_token(), replacing=None, now=NOON)
    rings.append(a_ring("k2", "k1", "k2"))
    on_aws(lambda: rings[-1]).put(ALICE, a_store(), replacing=None, now=NOON)

    assert old.open(ALICE, "store") == a_store(), "sealed under a key that it had not read"
    assert old.open(ALICE, "token") == a_token(), "sealed under the key before"

    rings.append(a_ring("k2", "k2"))
    with pytest.raises(Unavailable, match="k1"):
        on_aws(lambda: rings[-1]).open(ALICE, "token")
