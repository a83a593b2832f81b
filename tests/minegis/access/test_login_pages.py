"""Signing in and out, and the language that stays with the person."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.platform import PASSWORD

pytestmark = pytest.mark.django_db


def _sign_in(client: Any, user: Any, password: str = PASSWORD) -> Any:
    return client.post("/login/", {"username": user.username, "password": password, "next": "/jobs/"})


def test_sign_in_leads_where_one_wanted_to_go_and_out_again(client: Any, make_user: Any) -> None:
    assert _sign_in(client, make_user("interpreter"))["Location"] == "/jobs/"
    assert client.get("/jobs/").status_code == 200
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/jobs/").status_code == 302


def test_next_to_another_host_is_not_followed(client: Any, make_user: Any) -> None:
    user = make_user("interpreter")
    answer = client.post("/login/", {"username": user.username, "password": PASSWORD, "next": "https://evil.example/"})
    assert answer["Location"] == "/"


@pytest.mark.parametrize(
    ("language", "words"), [("zh-hans", "用户名或密码不正确"), ("en", "User name or password is wrong")]
)
def test_wrong_password_is_said_in_the_language_of_the_browser(
    client: Any, make_user: Any, language: str, words: str
) -> None:
    client.cookies["django_language"] = language
    answer = _sign_in(client, make_user("interpreter"), "wrong")
    assert answer.status_code == 200
    assert words in answer.content.decode()


def test_language_stays_with_the_person_on_another_browser(client: Any, make_user: Any, client_for: Any) -> None:
    user = make_user("interpreter")
    answer = client_for(user).post("/language/", {"language": "en", "next": "/jobs/"})
    assert answer["Location"] == "/jobs/"
    assert answer.cookies["django_language"].value == "en"
    user.refresh_from_db()
    assert user.language == "en"
    assert _sign_in(client, user).cookies["django_language"].value == "en"


def test_language_of_a_stranger_stays_with_the_browser_and_nonsense_is_ignored(client: Any) -> None:
    assert client.post("/language/", {"language": "en", "next": "/login/"}).cookies["django_language"].value == "en"
    assert "django_language" not in client.post("/language/", {"language": "xx", "next": "/login/"}).cookies


def test_unknown_page_explains_itself(client: Any, make_user: Any, client_for: Any) -> None:
    answer = client_for(make_user("interpreter")).get("/no-such-page/", headers={"Accept-Language": "en"})
    assert answer.status_code == 404
    assert "E-API-04" in answer.content.decode()
