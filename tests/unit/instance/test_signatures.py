"""Which keyword arguments an author's method is given, also after it was replaced."""

from __future__ import annotations

import functools
from types import MethodType
from typing import Any
from unittest.mock import Mock

import pytest

from label_studio_ml.instance.signatures import accepted

GIVEN = {"context": None, "login": "me"}


class Author:
    def predict(self, tasks: Any, context: Any = None) -> None: ...


def everything(self: Any, tasks: Any, **kwargs: Any) -> None: ...


def login(self: Any, tasks: Any, login: str) -> None: ...


def test_a_method_gets_what_it_names() -> None:
    for _ in range(2):
        assert accepted(Author().predict, GIVEN) == {"context": None}


def test_a_method_replaced_on_its_class_gets_what_the_new_one_names(monkeypatch: pytest.MonkeyPatch) -> None:
    author = Author()
    assert accepted(author.predict, GIVEN) == {"context": None}
    monkeypatch.setattr(Author, "predict", login)
    assert accepted(author.predict, GIVEN) == {"login": "me"}
    monkeypatch.undo()
    assert accepted(author.predict, GIVEN) == {"context": None}


def test_a_method_replaced_on_one_instance_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    author, other = Author(), Author()
    for patched, expected in (
        (MethodType(everything, author), GIVEN),
        (Mock(), GIVEN),
        (lambda tasks, login: None, {"login": "me"}),
        (functools.partial(login, author), {"login": "me"}),
    ):
        monkeypatch.setattr(author, "predict", patched)
        assert accepted(author.predict, GIVEN) == expected
        assert accepted(other.predict, GIVEN) == {"context": None}


def test_a_function_that_is_also_a_method_keeps_its_first_argument_to_itself() -> None:
    assert accepted(MethodType(login, Author()), {"self": 1, "login": "me"}) == {"login": "me"}
    assert accepted(login, {"self": 1, "login": "me"}) == {"self": 1, "login": "me"}


def test_a_method_made_of_something_that_cannot_be_remembered_works_too() -> None:
    class Slots:
        __slots__ = ()

        def __call__(self, tasks: Any, context: Any) -> None: ...

    assert accepted(MethodType(Slots(), [1]), GIVEN) == {"context": None}
