"""What every `TaskSecrets` promises; and of AWS's, that nobody reads a secret from a row."""

import pytest

from tests.builders import GROUP, NOON
from tests.contract.conftest import Stores
from xylem_aws.tables.logs import SecretsRow, secrets_key
from xylem_aws.task_secrets import ROW_CHARS

SECRET = "correct horse battery staple"


def test_what_was_kept_is_opened_again_of_all_creates(stores: Stores) -> None:
    secrets = stores.task_secrets
    secrets.keep(GROUP, 0, 1, [SECRET, "another"], now=NOON)
    secrets.keep(GROUP, 0, 1, [SECRET, "another"], now=NOON)
    secrets.keep(GROUP, 0, 2, ["of a retry"], now=NOON)

    assert secrets.of(GROUP, 0) == [SECRET, "another", "of a retry"]
    assert secrets.of(GROUP, 1) == []


def test_more_than_a_row_holds_is_kept_too(stores: Stores) -> None:
    many = [str(number) * (ROW_CHARS // 3) for number in range(8)]
    stores.task_secrets.keep(GROUP, 0, 1, many, now=NOON)

    assert stores.task_secrets.of(GROUP, 0) == many


@pytest.mark.parametrize("stores", ["dynamodb"], indirect=True)
def test_a_row_shows_no_secret_and_opens_in_its_own_place_alone(stores: Stores) -> None:
    stores.task_secrets.keep(GROUP, 0, 1, [SECRET], now=NOON)
    (row,) = SecretsRow.query(secrets_key(GROUP, 0))

    assert SECRET not in str(row.serialize())
    SecretsRow(
        secrets_key(GROUP, 1),
        row.sk,
        sealed=row.sealed,
        sealed_by=row.sealed_by,
        expires_at=row.expires_at,
    ).save()
    with pytest.raises(ValueError, match="another place"):
        stores.task_secrets.of(GROUP, 1)
