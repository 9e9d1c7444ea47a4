"""Backend tests: what proves that a cluster's nodes work. An admin's alone to read as well, as the
pod templates are that they name."""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError

from functions.core_service.config_notes import Change, noted
from functions.core_service.identity import User
from functions.core_service.services import Has, change_configs
from functions.core_service.views import View
from xylem.domain.config import ConfigKind
from xylem.domain.pool_book import PoolBook
from xylem.spec import backend_tests
from xylem.spec.backend_tests import TestForm, TestName

router = APIRouter(prefix="/api/configs/backend_test")

MOST = 100
"""Of tests in one request."""


class PutTest(Change):
    configs: TestForm


class PutTests(Change):
    configs: Annotated[dict[TestName, TestForm], Field(max_length=MOST)]


class PatchTest(Change):
    configs_dict: dict[str, Any]


@router.get("")
def list_tests(who: User, has: Has) -> View:
    book = has.pools.book()
    return {name: backend_tests.config_of_test(name, book) for name in book.backend_tests}


@router.get("/{name}")
def get_test(name: str, who: User, has: Has) -> View:
    return backend_tests.config_of_test(name, has.pools.book())


@router.put("")
def put_tests(body: PutTests, who: User, has: Has) -> None:
    def into(book: PoolBook) -> PoolBook:
        for name, form in body.configs.items():
            book = backend_tests.put_test(name, form, book, f"configs.{name}")
        return book

    change_configs(
        into, who, has, noted(body, ConfigKind.BACKEND_TEST, "", "Put complete backend test")
    )


@router.put("/{name}")
def put_test(name: TestName, body: PutTest, who: User, has: Has) -> None:
    note = noted(body, ConfigKind.BACKEND_TEST, name, f"Put complete backend test {name}")
    change_configs(lambda book: backend_tests.put_test(name, body.configs, book), who, has, note)


@router.patch("/{name}")
def patch_test(name: str, body: PatchTest, who: User, has: Has) -> View:
    """What is named is replaced, lists as a whole."""
    patched: list[PoolBook] = []

    def into(book: PoolBook) -> PoolBook:
        whole = {**backend_tests.config_of_test(name, book), **body.configs_dict}
        try:
            form = TestForm.model_validate(whole)
        except ValidationError as error:
            problems = [
                {**one, "loc": ("body", "configs_dict", *one["loc"])} for one in error.errors()
            ]
            raise RequestValidationError(problems) from error
        patched.append(backend_tests.put_test(name, form, book, "configs_dict"))
        return patched[-1]

    change_configs(
        into, who, has, noted(body, ConfigKind.BACKEND_TEST, name, f"Patch backend test {name}")
    )
    return backend_tests.config_of_test(name, patched[-1])


@router.delete("/{name}")
def delete_test(name: str, who: User, has: Has, body: Change | None = None) -> None:
    note = noted(body, ConfigKind.BACKEND_TEST, name, f"Delete backend test {name}")
    change_configs(lambda book: backend_tests.delete_test(name, book), who, has, note)
