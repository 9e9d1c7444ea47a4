"""Revisions of configs: the same promises in memory and on DynamoDB."""

import pytest

from tests.builders import NOON, a_pool
from tests.contract.conftest import Stores
from xylem.domain.config import ConfigKind, Note, Revision
from xylem.domain.errors import Conflict, InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.role import SHIPPED_ROLES, Policy, Role, with_role
from xylem.domain.values import replace
from xylem.usecases import config_history
from xylem.usecases.config_book import value_of

ROOT = UserName("root")
WORKFLOW, ROLE, POOL = ConfigKind.WORKFLOW, ConfigKind.ROLE, ConfigKind.POOL


def tasks_at_most(stores: Stores, number: int, **note: object) -> None:
    stores.configs.change_workflow(
        lambda config: replace(config, max_num_tasks=number),
        author=ROOT,
        now=NOON,
        note=Note(**note),  # type: ignore[arg-type]
    )


def history(stores: Stores, *kinds: ConfigKind, **more: object) -> list[Revision]:
    wanted = config_history.Filter(kinds=kinds or tuple(ConfigKind), **more)  # type: ignore[arg-type]
    rows = stores.configs.rows
    return config_history.page(wanted, rows=rows, limit=20, offset=0, newest_first=True)


def roll_back(stores: Stores, kind: ConfigKind, number: int, said: str = "") -> None:
    config_history.roll_back(
        kind,
        number,
        configs=stores.configs,
        change_book=lambda into, note: stores.pools.change(into, author=ROOT, now=NOON, note=note),
        require_roles=lambda before, after: None,
        author=ROOT,
        now=NOON,
        note=Note(description=said),
    )


def test_the_first_change_is_revision_2_of_what_shipped(stores: Stores) -> None:
    tasks_at_most(stores, 5, description="few", tags=("a",))

    second, first = history(stores, WORKFLOW)

    assert (second.number, second.author, second.description) == (2, ROOT, "few")
    assert second.tags == ("a",)
    assert (first.number, first.author, first.tags) == (1, "system", ("initial-config",))
    assert value_of(first).max_num_tasks == 10_000
    assert stores.configs.workflow().max_num_tasks == 5


def test_what_was_never_set_has_the_history_of_what_ships(stores: Stores) -> None:
    assert [(one.kind, one.number) for one in history(stores)] == [(kind, 1) for kind in ConfigKind]


def test_an_earlier_revision_is_set_again_as_a_new_one(stores: Stores) -> None:
    tasks_at_most(stores, 5)
    tasks_at_most(stores, 7)

    roll_back(stores, WORKFLOW, 2, "too many")

    assert stores.configs.workflow().max_num_tasks == 5
    assert history(stores, WORKFLOW)[0].description == "Roll back WORKFLOW to r2: too many"
    assert [one.number for one in history(stores, WORKFLOW)] == [4, 3, 2, 1]


def test_what_is_named_has_to_be_there_when_it_is_set_again(stores: Stores) -> None:
    stores.pools.change(
        lambda book: replace(book, pod_templates={**book.pod_templates, "t": {}}),
        author=ROOT,
        now=NOON,
    )
    stores.pools.put(a_pool(pod_templates=("t",)), author=ROOT, now=NOON)

    with pytest.raises(InvalidRequest, match="t is not known"):
        roll_back(stores, ConfigKind.POD_TEMPLATE, 1)

    assert "t" in stores.pools.book().pod_templates


def test_roles_that_ship_survive_whatever_is_set_again(stores: Stores) -> None:
    team = Role("team", "", (Policy(("workflow:*",), ("pool/a",)),))
    stores.configs.change_roles(lambda roles: with_role(team, roles), author=ROOT, now=NOON)

    roll_back(stores, ROLE, 1)

    assert stores.configs.roles() == SHIPPED_ROLES


def test_a_revision_is_tagged_without_a_change_of_what_it_holds(stores: Stores) -> None:
    tasks_at_most(stores, 5)
    rows = stores.configs.rows
    before = config_history.find(WORKFLOW, 2, rows=rows)

    config_history.tag(WORKFLOW, 2, add=["a", "b"], remove=[], rows=rows)
    config_history.tag(WORKFLOW, 2, add=["a"], remove=["b"], rows=rows)
    config_history.tag(ROLE, 1, add=["a"], remove=[], rows=rows)

    assert config_history.find(WORKFLOW, 2, rows=rows) == replace(before, tags=("a",))
    assert {one.kind for one in history(stores, tags=["a"])} == {WORKFLOW, ROLE}
    assert stores.configs.roles() == SHIPPED_ROLES


def test_what_was_deleted_is_out_of_the_history_and_is_not_set_again(stores: Stores) -> None:
    tasks_at_most(stores, 5)
    rows = stores.configs.rows

    config_history.delete(WORKFLOW, 1, rows=rows, by=ROOT)
    config_history.delete(WORKFLOW, 1, rows=rows, by=ROOT)

    assert [one.number for one in history(stores, WORKFLOW)] == [2]
    with pytest.raises(InvalidRequest, match="was deleted by root"):
        roll_back(stores, WORKFLOW, 1)
    with pytest.raises(InvalidRequest, match="what holds now"):
        config_history.delete(WORKFLOW, 2, rows=rows, by=ROOT)


def test_a_change_of_one_kind_is_refused_where_another_kind_was_faster(stores: Stores) -> None:
    rows = stores.configs.rows
    stores.pools.put(a_pool(), author=ROOT, now=NOON)
    pool = rows.current([POOL])[POOL]

    with pytest.raises(Conflict):
        rows.add([replace(pool, number=3)], read={POOL: 2, ConfigKind.BACKEND: 1})

    assert rows.current([POOL])[POOL].number == 2


def test_a_note_on_what_is_not_there_is_refused(stores: Stores) -> None:
    tasks_at_most(stores, 5)
    second = config_history.find(WORKFLOW, 2, rows=stores.configs.rows)

    with pytest.raises(Conflict):
        stores.configs.rows.note(replace(second, number=9))
