"""Apps and their names: the same promises in memory and on DynamoDB."""

from datetime import timedelta

import pytest

from tests.builders import NOON
from tests.contract.conftest import Stores
from xylem.domain.app import App, AppVersion
from xylem.domain.errors import Conflict
from xylem.domain.ids import UserName
from xylem.domain.values import replace

ALICE = UserName("alice")
AN_APP = App("a" * 32, "train", ALICE, "", NOON, (AppVersion(1, ALICE, NOON),))
LATER = replace(AN_APP, uuid="b" * 32, name="test", created_at=NOON + timedelta(seconds=1))


def test_an_app_is_found_by_its_name_and_by_its_id(stores: Stores) -> None:
    stores.apps.save(None, AN_APP)

    for found in (stores.apps.named("train"), stores.apps.app(AN_APP.uuid)):
        assert found is not None and found.value == AN_APP
    assert stores.apps.named("test") is None


def test_all_are_listed_the_newest_first(stores: Stores) -> None:
    stores.apps.save(None, AN_APP)
    stores.apps.save(None, LATER)

    assert list(stores.apps.all()) == [LATER, AN_APP]


def test_a_name_is_one_apps_alone(stores: Stores) -> None:
    stores.apps.save(None, AN_APP)

    with pytest.raises(Conflict):
        stores.apps.save(None, replace(LATER, name="train"))

    assert list(stores.apps.all()) == [AN_APP]


def test_an_app_that_is_renamed_leaves_its_old_name_to_others(stores: Stores) -> None:
    stores.apps.save(None, AN_APP)
    stores.apps.save(stores.apps.named("train"), replace(AN_APP, name="learn"))
    stores.apps.save(None, replace(LATER, name="train"))

    learn, train = stores.apps.named("learn"), stores.apps.named("train")
    assert learn is not None and learn.value.uuid == AN_APP.uuid
    assert train is not None and train.value.uuid == LATER.uuid


def test_who_was_faster_wins(stores: Stores) -> None:
    stores.apps.save(None, AN_APP)
    before = stores.apps.app(AN_APP.uuid)
    more = (*AN_APP.versions, AppVersion(2, ALICE, NOON))
    stores.apps.save(before, replace(AN_APP, versions=more))

    with pytest.raises(Conflict):
        stores.apps.save(before, AN_APP)

    found = stores.apps.app(AN_APP.uuid)
    assert found is not None and found.value.versions == more


def test_what_a_user_submitted_from_is_kept_once(stores: Stores) -> None:
    stores.apps.note_use(ALICE, AN_APP.uuid)
    stores.apps.note_use(ALICE, AN_APP.uuid)

    assert stores.apps.used_by(ALICE) == {AN_APP.uuid}
    assert stores.apps.used_by(UserName("bob")) == frozenset()
