"""Addresses nobody answers, and failures outside the views."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from minegis import problems

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/api/nowhere/", "/api/v1/no-such-thing/", "/api/v2/me/"])
def test_an_unknown_address_of_the_api_gets_a_problem_body(client_for, path):
    answer = client_for(None).get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "E-API-04"


def test_a_failure_outside_the_views_gets_a_problem_body_or_a_page():
    answer = problems.server_error(RequestFactory().get("/api/v1/me/"))
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    page = problems.server_error(RequestFactory().get("/"))
    assert (page.status_code, page["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert "E-API-09" in page.content.decode()
