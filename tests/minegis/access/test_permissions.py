"""The permission table and its readers."""

from __future__ import annotations

import logging

import pytest
from django.contrib.auth.models import AnonymousUser

from minegis.access.models import Membership
from minegis.access.permissions import TABLE, Action, allowed, readers, require, rights
from minegis.access.querysets import region_prefix
from minegis.access.roles import Role
from minegis.errors import ForbiddenError
from minegis.jobs.models import JobQuerySet

pytestmark = pytest.mark.django_db


def test_every_action_has_a_row_and_every_row_known_roles():
    assert set(TABLE) == set(Action)
    assert {role for row in TABLE.values() for role in row} <= set(Role)


@pytest.mark.parametrize(
    ("code", "prefix"),
    [
        ("650000", "65"),
        ("652300", "6523"),
        ("652302", "652302"),
        ("652302001", "652302001"),
        ("652302000", "652302"),
        ("652301100", "652301100"),
    ],
)
def test_a_code_without_its_zeros_is_the_prefix_of_all_below(code, prefix):
    assert region_prefix(code) == prefix


def test_a_right_reaches_down_but_not_up_or_sideways(make_user, regions):
    user = make_user("interpreter", regions.changji)
    for region, expected in {
        regions.changji: True, regions.fukang: True, "652302001": True, regions.xinjiang: False, regions.turpan: False,
    }.items():  # fmt: skip
        assert allowed(user, Action.START_RUN, region) is expected


def test_without_a_region_the_question_is_anywhere(make_user, regions):
    assert allowed(make_user("interpreter", regions.fukang), "run.start")
    assert not allowed(make_user("viewer"), "run.start")


def test_rights_to_own_objects_end_there(make_user, regions):
    user = make_user("uploader", regions.fukang)
    assert allowed(user, Action.DELETE_SCENE, regions.fukang, own=True)
    assert not allowed(user, Action.DELETE_SCENE, regions.fukang)
    assert not allowed(user, Action.DELETE_SCENE, None)


def test_an_object_of_no_region_takes_the_role_anywhere(make_user, regions):
    assert allowed(make_user("reviewer", regions.fukang), Action.START_RUN, None)
    assert not allowed(make_user("analyst"), Action.START_RUN, None)


def test_several_roles_add_up(make_user, regions):
    user = make_user("viewer", regions.turpan)
    Membership.objects.create(user=user, role="interpreter", region=regions.fukang)
    assert allowed(user, Action.START_RUN, regions.fukang)
    assert not allowed(user, Action.START_RUN, regions.turpan)


def test_nobody_and_switched_off_accounts_may_nothing(make_user):
    off = make_user("manager", is_active=False)
    for user in (AnonymousUser(), off):
        assert not any(rights(user).values())


def test_a_superuser_may_everything(make_user, regions):
    user = make_user(is_superuser=True, is_staff=True)
    assert all(rights(user).values())
    assert allowed(user, Action.CREATE_MINES, regions.turpan)


def test_an_unknown_action_is_a_bug_not_a_refusal(make_user):
    with pytest.raises(ValueError):
        allowed(make_user("manager"), "coffee.make")


def test_a_refusal_is_logged(make_user, regions, caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(ForbiddenError):
        require(make_user("viewer", username="eve"), Action.START_RUN, regions.fukang)
    assert "user=eve action=run.start" in caplog.text


def test_names_for_templates(make_user):
    can = rights(make_user("interpreter"))
    assert can["start_run"]
    assert can["upload_scene"]
    assert not can["admin"]
    assert not can["edit_mines"]


def test_querysets_read_the_same_table():
    assert JobQuerySet.reader_roles == readers(Action.READ_JOBS) == {"interpreter", "reviewer", "manager", "admin"}
    assert "uploader" not in readers(Action.READ_SCENE)
