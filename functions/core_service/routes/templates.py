"""What pools name: templates of pods and of groups, and resource validations.

An admin's alone to read as well: a template may say where a cluster's secrets are.
"""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from functions.core_service.identity import User
from functions.core_service.services import Has, change_configs
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem.domain.access import require_admin
from xylem.domain.pool_book import PoolBook
from xylem.domain.values import replace
from xylem.spec import group_templates, pod_templates, validations
from xylem.spec.pools import NAME
from xylem.spec.validations import AssertionConfig, config_of_assertions

router = APIRouter(prefix="/api/configs")

MOST = 200
"""Of templates or validations in one request."""

Name = Annotated[str, Field(pattern=NAME, max_length=63)]
Conditions = Annotated[list[AssertionConfig], Field(max_length=MOST)]


class Change(BaseModel):
    description: Text | None = None
    tags: list[Text] | None = None


class PutTemplate(Change):
    configs: dict[str, Any]


class PutTemplates(Change):
    configs: Annotated[dict[Name, dict[str, Any]], Field(max_length=MOST)]


class PutValidation(Change):
    configs: Conditions


class PutValidations(Change):
    """OSMO calls it `configs_dict` here alone."""

    configs_dict: Annotated[dict[Name, Conditions], Field(max_length=MOST)]


@router.get("/pod_template")
def list_templates(who: User, has: Has) -> View:
    require_admin(who)
    return dict(has.pools.book().pod_templates)


@router.get("/pod_template/{name}")
def get_template(name: str, who: User, has: Has) -> View:
    require_admin(who)
    return dict(pod_templates.require_template(name, has.pools.book()))


@router.put("/pod_template")
def put_templates(body: PutTemplates, who: User, has: Has) -> None:
    require_admin(who)
    given = {
        name: pod_templates.template_of(one, f"configs.{name}")
        for name, one in body.configs.items()
    }

    def into(book: PoolBook) -> PoolBook:
        for name, template in given.items():
            book = pod_templates.put_template(name, template, book)
        return book

    change_configs(into, who, has)


@router.put("/pod_template/{name}")
def put_template(name: Name, body: PutTemplate, who: User, has: Has) -> None:
    require_admin(who)
    template = pod_templates.template_of(body.configs)
    change_configs(lambda book: pod_templates.put_template(name, template, book), who, has)


@router.delete("/pod_template/{name}")
def delete_template(name: str, who: User, has: Has, body: Change | None = None) -> None:
    require_admin(who)
    has.pools.change(
        lambda book: pod_templates.delete_template(name, book),
        author=who.subject,
        now=has.engine.clock(),
    )


@router.get("/group_template")
def list_group_templates(who: User, has: Has) -> View:
    require_admin(who)
    return dict(has.pools.book().group_templates)


@router.get("/group_template/{name}")
def get_group_template(name: str, who: User, has: Has) -> View:
    require_admin(who)
    return dict(group_templates.require_template(name, has.pools.book()))


@router.put("/group_template")
def put_group_templates(body: PutTemplates, who: User, has: Has) -> None:
    require_admin(who)
    given = {
        name: group_templates.template_of(one, f"configs.{name}")
        for name, one in body.configs.items()
    }

    def into(book: PoolBook) -> PoolBook:
        for name, template in given.items():
            book = group_templates.put_template(name, template, book)
        return book

    has.pools.change(into, author=who.subject, now=has.engine.clock())


@router.put("/group_template/{name}")
def put_group_template(name: Name, body: PutTemplate, who: User, has: Has) -> None:
    require_admin(who)
    template = group_templates.template_of(body.configs)
    has.pools.change(
        lambda book: group_templates.put_template(name, template, book),
        author=who.subject,
        now=has.engine.clock(),
    )


@router.delete("/group_template/{name}")
def delete_group_template(name: str, who: User, has: Has, body: Change | None = None) -> None:
    require_admin(who)
    has.pools.change(
        lambda book: group_templates.delete_template(name, book),
        author=who.subject,
        now=has.engine.clock(),
    )


@router.get("/resource_validation")
def list_validations(who: User, has: Has) -> View:
    require_admin(who)
    known = has.pools.book().resource_validations
    return {name: config_of_assertions(one) for name, one in known.items()}


@router.get("/resource_validation/{name}")
def get_validation(name: str, who: User, has: Has) -> list[View]:
    require_admin(who)
    return config_of_assertions(validations.require_validation(name, has.pools.book()))


@router.put("/resource_validation")
def put_validations(body: PutValidations, who: User, has: Has) -> None:
    require_admin(who)
    given = {
        name: validations.validation_of(one, f"configs_dict.{name}")
        for name, one in body.configs_dict.items()
    }
    _put_validations(given, who, has)


@router.put("/resource_validation/{name}")
def put_validation(name: Name, body: PutValidation, who: User, has: Has) -> None:
    require_admin(who)
    _put_validations({name: validations.validation_of(body.configs)}, who, has)


@router.delete("/resource_validation/{name}")
def delete_validation(name: str, who: User, has: Has, body: Change | None = None) -> None:
    require_admin(who)
    has.pools.change(
        lambda book: validations.delete_validation(name, book),
        author=who.subject,
        now=has.engine.clock(),
    )


def _put_validations(given: validations.Validations, who: User, has: Has) -> None:
    def into(book: PoolBook) -> PoolBook:
        return replace(book, resource_validations={**book.resource_validations, **given})

    has.pools.change(into, author=who.subject, now=has.engine.clock())
