"""What pools name: templates of pods and of groups, and resource validations.

An admin's alone to read as well: a template may say where a cluster's secrets are.
"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter
from pydantic import Field

from functions.core_service.config_notes import Change, noted
from functions.core_service.identity import User
from functions.core_service.services import Has, change_configs
from functions.core_service.views import View
from xylem.domain.config import ConfigKind, Note
from xylem.domain.pool_book import PoolBook
from xylem.domain.templates import Template
from xylem.domain.values import replace
from xylem.spec import group_templates, pod_templates, validations
from xylem.spec.pools import NAME
from xylem.spec.validations import AssertionConfig, config_of_assertions

router = APIRouter(prefix="/api/configs")

MOST = 200
"""Of templates or validations in one request."""

Name = Annotated[str, Field(pattern=NAME, max_length=63)]
Conditions = Annotated[list[AssertionConfig], Field(max_length=MOST)]


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
    return dict(has.pools.book().pod_templates)


@router.get("/pod_template/{name}")
def get_template(name: str, who: User, has: Has) -> View:
    return dict(pod_templates.require_template(name, has.pools.book()))


@router.put("/pod_template")
def put_templates(body: PutTemplates, who: User, has: Has) -> None:
    _put_all(OF_PODS, body, who, has)


@router.put("/pod_template/{name}")
def put_template(name: Name, body: PutTemplate, who: User, has: Has) -> None:
    _put(OF_PODS, name, body, who, has)


@router.delete("/pod_template/{name}")
def delete_template(name: str, who: User, has: Has, body: Change | None = None) -> None:
    _delete(OF_PODS, name, body, who, has)


@router.get("/group_template")
def list_group_templates(who: User, has: Has) -> View:
    return dict(has.pools.book().group_templates)


@router.get("/group_template/{name}")
def get_group_template(name: str, who: User, has: Has) -> View:
    return dict(group_templates.require_template(name, has.pools.book()))


@router.put("/group_template")
def put_group_templates(body: PutTemplates, who: User, has: Has) -> None:
    _put_all(OF_GROUPS, body, who, has)


@router.put("/group_template/{name}")
def put_group_template(name: Name, body: PutTemplate, who: User, has: Has) -> None:
    _put(OF_GROUPS, name, body, who, has)


@router.delete("/group_template/{name}")
def delete_group_template(name: str, who: User, has: Has, body: Change | None = None) -> None:
    _delete(OF_GROUPS, name, body, who, has)


class _Rules(NamedTuple):
    """Of one kind of template."""

    kind: ConfigKind
    words: str
    check: Callable[[Template, str], Template]
    put: Callable[[str, Template, PoolBook], PoolBook]
    delete: Callable[[str, PoolBook], PoolBook]


OF_PODS = _Rules(
    ConfigKind.POD_TEMPLATE,
    "pod template",
    pod_templates.template_of,
    pod_templates.put_template,
    pod_templates.delete_template,
)
OF_GROUPS = _Rules(
    ConfigKind.GROUP_TEMPLATE,
    "group template",
    group_templates.template_of,
    group_templates.put_template,
    group_templates.delete_template,
)


def _put_all(rules: _Rules, body: PutTemplates, who: User, has: Has) -> None:
    given = {name: rules.check(one, f"configs.{name}") for name, one in body.configs.items()}

    def into(book: PoolBook) -> PoolBook:
        for name, template in given.items():
            book = rules.put(name, template, book)
        return book

    note = noted(body, rules.kind, "", f"Put complete {rules.words}")
    change_configs(into, who, has, note)


def _put(rules: _Rules, name: str, body: PutTemplate, who: User, has: Has) -> None:
    template = rules.check(body.configs, "configs")
    note = noted(body, rules.kind, name, f"Put complete {rules.words} {name}")
    change_configs(lambda book: rules.put(name, template, book), who, has, note)


def _delete(rules: _Rules, name: str, body: Change | None, who: User, has: Has) -> None:
    note = noted(body, rules.kind, name, f"Delete {rules.words} {name}")
    change_configs(lambda book: rules.delete(name, book), who, has, note)


@router.get("/resource_validation")
def list_validations(who: User, has: Has) -> View:
    known = has.pools.book().resource_validations
    return {name: config_of_assertions(one) for name, one in known.items()}


@router.get("/resource_validation/{name}")
def get_validation(name: str, who: User, has: Has) -> list[View]:
    return config_of_assertions(validations.require_validation(name, has.pools.book()))


@router.put("/resource_validation")
def put_validations(body: PutValidations, who: User, has: Has) -> None:
    given = {
        name: validations.validation_of(one, f"configs_dict.{name}")
        for name, one in body.configs_dict.items()
    }
    note = noted(body, ConfigKind.RESOURCE_VALIDATION, "", "Put complete resource validation")
    _put_validations(given, who, has, note)


@router.put("/resource_validation/{name}")
def put_validation(name: Name, body: PutValidation, who: User, has: Has) -> None:
    said = f"Put complete resource validation {name}"
    note = noted(body, ConfigKind.RESOURCE_VALIDATION, name, said)
    _put_validations({name: validations.validation_of(body.configs)}, who, has, note)


@router.delete("/resource_validation/{name}")
def delete_validation(name: str, who: User, has: Has, body: Change | None = None) -> None:
    note = noted(body, ConfigKind.RESOURCE_VALIDATION, name, f"Delete resource validation {name}")
    change_configs(lambda book: validations.delete_validation(name, book), who, has, note)


def _put_validations(given: validations.Validations, who: User, has: Has, note: Note) -> None:
    def into(book: PoolBook) -> PoolBook:
        return replace(book, resource_validations={**book.resource_validations, **given})

    change_configs(into, who, has, note)
