"""Tokens, the signed-in user, and pages that want one."""

from __future__ import annotations

import pytest
from knox.models import AuthToken

from minegis.access.models import User
from tests.fixtures.platform import PASSWORD

pytestmark = pytest.mark.django_db
TOKEN = "/api/v1/auth/token/"


def post(client, **body):
    return client.post(TOKEN, body, content_type="application/json")


@pytest.fixture
def user(make_user, regions) -> User:
    return make_user("reviewer", regions.fukang, username="li", display_name="李审核")


def test_a_password_buys_a_token_that_opens_the_api(user, client_for):
    answer = post(client_for(None), username="li", password=PASSWORD)
    assert answer.status_code == 200
    token = answer.json()["token"]
    assert token not in AuthToken.objects.get().digest, "only the hash is stored"
    me = client_for(None).get("/api/v1/me/", headers={"Authorization": f"Token {token}"}).json()
    assert (me["username"], me["display_name"]) == ("li", "李审核")
    assert me["memberships"] == [{"role": "reviewer", "region": "652302"}]
    assert me["can"]["start_run"] is True
    assert me["can"]["manage_users"] is False


@pytest.mark.parametrize("given", [("li", "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_look_alike(user, client_for, given):
    answer = post(client_for(None), username=given[0], password=given[1])
    assert (answer.status_code, answer.json()["code"]) == (401, "E-API-11")


def test_missing_fields_are_named(client_for, db):
    answer = post(client_for(None), username="li")
    assert (answer.status_code, answer.json()["code"]) == (400, "E-API-01")
    assert list(answer.json()["errors"]) == ["password"]


def test_guessing_is_slowed_down(user, client_for):
    codes = [post(client_for(None), username="li", password=str(n)).status_code for n in range(21)]
    assert codes == [401] * 20 + [429]


def test_the_newest_ten_tokens_are_kept(user, client_for, token_for):
    oldest = token_for(user)
    for _ in range(9):
        token_for(user)
    assert client_for(None).get("/api/v1/me/", headers={"Authorization": oldest}).status_code == 200
    post(client_for(None), username="li", password=PASSWORD)
    assert AuthToken.objects.filter(user=user).count() == 10
    assert client_for(None).get("/api/v1/me/", headers={"Authorization": oldest}).status_code == 401


def test_giving_a_token_back(user, client_for, token_for):
    mine, other = token_for(user), token_for(user)
    client = client_for(None)
    assert client.post("/api/v1/auth/logout/", headers={"Authorization": mine}).status_code == 204
    assert client.get("/api/v1/me/", headers={"Authorization": mine}).status_code == 401
    assert client.get("/api/v1/me/", headers={"Authorization": other}).status_code == 200
    assert client_for(user).post("/api/v1/auth/logout/").status_code == 204
    assert not AuthToken.objects.exists()


@pytest.mark.parametrize("path", ["/", "/jobs/"])
def test_a_page_sends_strangers_to_the_login_page_and_remembers_where_they_were_going(client_for, db, path):
    answer = client_for(None).get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={path}")


def test_a_fragment_sends_the_whole_page_to_the_login_page(client_for, db):
    answer = client_for(None).get("/jobs/", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith("/login/")


def test_the_language_can_be_switched_before_signing_in(client_for, db):
    answer = client_for(None).post("/i18n/setlang/", {"language": "en"})
    assert answer.status_code == 302
    assert answer.cookies["django_language"].value == "en"


def test_the_api_description_is_for_people_with_an_account(client_for, user):
    for path in ("/api/schema/", "/api/docs/"):
        assert client_for(None).get(path).status_code == 401, path
        assert client_for(user).get(path).status_code == 200, path


def test_the_administration_site_opens_for_staff(client_for, make_user, regions):
    boss = make_user(is_staff=True, is_superuser=True)
    for path in (
        "",
        "access/user/",
        f"access/user/{boss.pk}/change/",
        "registry/mine/add/",
        "jobs/job/",
        "uploads/upload/",
    ):
        assert client_for(boss).get(f"/admin/{path}").status_code == 200, path
    assert client_for(make_user("admin")).get("/admin/").status_code == 302


@pytest.mark.parametrize("door", ["/login/", "/admin/login/"])
def test_guessing_on_a_page_is_slowed_down_whatever_address_it_claims(user, client_for, door):
    client = client_for(None)
    for number in range(20):
        guess = {"username": "li", "password": str(number)}
        assert client.post(door, guess, headers={"X-Forwarded-For": f"10.0.0.{number}"}).status_code == 200
    answer = client.post(door, {"username": "li", "password": PASSWORD}, headers={"X-Forwarded-For": "10.0.1.1"})
    assert answer.status_code == 429
    assert "E-API-07" in answer.content.decode()
    assert post(client, username="li", password=PASSWORD).status_code == 429, "the token door counts with it"
    assert client.get(door).status_code == 200


def test_behind_a_proxy_the_address_is_the_one_the_proxy_saw(user, client_for, settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    codes = [
        client_for(None)
        .post("/login/", {"username": "li", "password": "x"}, headers={"X-Forwarded-For": f"10.0.0.{n}, 198.51.100.7"})
        .status_code
        for n in range(21)
    ]
    assert codes == [200] * 20 + [429]
    other = {"X-Forwarded-For": "10.0.0.1, 198.51.100.8"}
    assert client_for(None).post("/login/", {"username": "li", "password": "x"}, headers=other).status_code == 200
