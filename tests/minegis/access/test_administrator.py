"""The role ``admin`` on the administration site: people to edit, records to look at, no superusers."""

from __future__ import annotations

import pytest

from minegis.access.models import Membership
from tests.fixtures.platform import PASSWORD

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "Altai-2024-mountains"


@pytest.fixture
def administrator(make_user):
    return make_user("admin", is_staff=True)


@pytest.fixture
def admin_client(client_for, administrator):
    return client_for(administrator)


def form(user, **changes):
    """What the browser sends when the page of a person is saved."""
    fields = {"username": user.username, "is_active": "on", "date_joined_0": "2024-01-01", "date_joined_1": "00:00"}
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    return fields | inline | changes


def test_an_administrator_sees_people_and_records(admin_client, make_user, regions):
    person = make_user("viewer")
    for path in (
        "",
        "access/user/",
        "access/user/add/",
        f"access/user/{person.pk}/change/",
        "registry/region/",
        f"registry/region/{regions.fukang.pk}/change/",
        "registry/mine/",
        "jobs/job/",
        "uploads/upload/",
        "landdamage/scene/",
    ):
        assert admin_client.get(f"/admin/{path}").status_code == 200, path
    for path in ("registry/mine/add/", "registry/region/add/", "auth/group/", "knox/authtoken/"):
        assert admin_client.get(f"/admin/{path}").status_code == 403, path


def test_an_administrator_gives_a_role(admin_client, make_user, regions):
    person = make_user()
    role = {
        "memberships-TOTAL_FORMS": "1",
        "memberships-0-user": str(person.pk),
        "memberships-0-role": "viewer",
        "memberships-0-region": str(regions.fukang.pk),
    }
    answer = admin_client.post(f"/admin/access/user/{person.pk}/change/", form(person, **role))
    assert answer.status_code == 302, answer.context["errors"]
    assert Membership.objects.get(user=person).region == regions.fukang


def test_an_administrator_makes_no_superuser_and_touches_none(admin_client, administrator, make_user):
    answer = admin_client.post(
        f"/admin/access/user/{administrator.pk}/change/", form(administrator, is_staff="on", is_superuser="on")
    )
    assert answer.status_code == 302
    administrator.refresh_from_db()
    assert administrator.is_staff
    assert not administrator.is_superuser
    boss = make_user(is_staff=True, is_superuser=True)
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    admin_client.post(f"/admin/access/user/{boss.pk}/password/", passwords)
    admin_client.post(f"/admin/access/user/{boss.pk}/change/", form(boss, username="hijacked"))
    boss.refresh_from_db()
    assert boss.check_password(PASSWORD)
    assert boss.username != "hijacked"


def test_other_roles_and_administrators_of_one_region_get_nothing(client_for, make_user, regions):
    assert client_for(make_user("manager")).get("/admin/access/user/").status_code == 302
    for person in (make_user("manager", is_staff=True), make_user("admin", regions.fukang, is_staff=True)):
        assert client_for(person).get("/admin/access/user/").status_code == 403
    off = make_user("admin", is_staff=True, is_active=False)
    assert not off.has_perm("access.view_user")


def test_an_administrator_makes_no_data_decision(administrator):
    assert administrator.has_perm("landdamage.view_scene")
    decisions = ("landdamage.change_scene", "registry.change_mine", "jobs.delete_job", "auth.change_permission")
    assert not any(administrator.has_perm(name) for name in decisions)
