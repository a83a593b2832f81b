import hashlib
import io
import json
import zipfile

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from landdamage.models import Delivery, Edition
from landdamage.reports.tables import build
from landdamage.selectors.editions import edition_data
from landdamage.services.deliveries import deliveries_visible, delivery_file, delivery_request
from landdamage.services.files import files
from minegis.errors import ForbiddenError, MineGISError
from minegis.jobs.models import Job
from minegis.jobs.runner import run_job

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/deliveries/"


@pytest.fixture(autouse=True)
def _storage(settings, tmp_path):
    settings.STORAGE_ROOT = tmp_path / "storage"


def _work_off():
    while job := Job.objects.filter(state="queued").first():
        run_job(job.pk, "test")


def _packed(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_report_is_made_kept_and_says_what_the_tables_say(small_books, client_for):
    books = small_books
    options = {"language": "en", "map_sheets": 0, "evidence_sheets": 1, "unit": "Bureau"}
    body = {"edition": str(books.draft.pk), "kind": "report", "options": options}
    analyst = client_for(books.analyst)
    answer = analyst.post(URL, body, content_type="application/json")
    assert answer.status_code == 202, answer.content
    address = f"{URL}{answer.json()['delivery_id']}/"
    assert analyst.get(f"{address}file/").json()["code"] == "E-DEL-03"
    _work_off()
    ready = analyst.get(address).json()
    assert (ready["job_state"], ready["file_name"]) == (
        "succeeded",
        f"MineGIS_2023_v1_{books.regions.changji.code}.zip",
    )
    assert ready["sha256"] in files()
    content = b"".join(analyst.get(f"{address}file/").streaming_content)
    assert hashlib.sha256(content).hexdigest() == ready["sha256"]
    members = _packed(io.BytesIO(content))
    assert {"report.pdf", "report.docx", "tables.xlsx", "evidence.pdf", "maps/overview.pdf"} <= set(members)
    assert "patches.gpkg" not in members  # an analyst takes vectors of published editions only
    tables = build(edition_data(books.draft, books.analyst), "en")
    sheet = openpyxl.load_workbook(io.BytesIO(members["tables.xlsx"]))["T1"]
    total = tables["T1"].total
    found = sheet.cell(2 + len(tables["T1"].rows), tables["T1"].index["new"] + 1).value
    assert found == float(tables["T1"].cell(total, "new").value)
    assert json.loads(members["meta.json"])["edition"]["edition_id"] == str(books.draft.pk)
    heads = [cell.value for cell in openpyxl.load_workbook(io.BytesIO(members["tables.xlsx"]))["T3"][2]]
    assert "Licence no." in heads
    assert not any("Outside" in head for head in heads if head)


def test_vectors_of_a_published_edition_and_who_may_take_them(small_books, client_for):
    books = small_books
    made = delivery_request(edition=books.published, user=books.analyst, kind="vectors", options={"format": "shp"})
    _work_off()
    made.refresh_from_db()
    assert made.file_name.endswith("_shp.zip")
    assert delivery_file(delivery=made, user=books.reviewer).is_file()
    assert client_for(books.viewer).get(f"{URL}{made.pk}/file/").status_code == 403
    with pytest.raises(ForbiddenError):
        delivery_request(edition=books.draft, user=books.analyst, kind="vectors")


def test_what_a_reviewer_may_know_stays_among_those_who_may_know_it(small_books):
    books = small_books
    made = delivery_request(edition=books.draft, user=books.reviewer, kind="vectors")
    _work_off()
    made.refresh_from_db()
    assert made.options["outside"]
    assert delivery_file(delivery=made, user=books.manager).is_file()
    with pytest.raises(ForbiddenError):
        delivery_file(delivery=made, user=books.interpreter)


def test_what_was_made_of_a_draft_is_not_handed_out_as_the_edition_it_became(small_books):
    books = small_books
    made = delivery_request(edition=books.draft, user=books.reviewer, kind="vectors")
    _work_off()
    assert deliveries_visible(books.analyst).filter(pk=made.pk).exists()
    Edition.objects.filter(pk=books.draft.pk).update(content_sha256="a" * 64)  # as freezing does
    assert not deliveries_visible(books.analyst).filter(pk=made.pk).exists()
    again = delivery_request(edition=books.draft, user=books.reviewer, kind="vectors")
    assert deliveries_visible(books.analyst).filter(pk=again.pk).exists()  # waiting
    _work_off()
    assert deliveries_visible(books.analyst).filter(pk=again.pk).exists()


@pytest.mark.parametrize("role", ["interpreter", "viewer"])
def test_reports_of_drafts_are_for_those_who_work_on_them(small_books, role):
    person = getattr(small_books, role)
    with pytest.raises(MineGISError) as refused:
        delivery_request(edition=small_books.draft, user=person)
    assert refused.value.code in ("E-API-03", "E-API-04")
    wanted = delivery_request(edition=small_books.published, user=person)
    assert wanted.options["vectors"] == (role == "interpreter")


def test_unknown_options_and_editions_without_account_are_refused(small_books, client_for, make_user):
    books = small_books
    for options in ({"language": "fr"}, {"map_sheets": 10_000}, {"unit": "x" * 200}, {"path": "/etc"}, {"unit": 5}):
        with pytest.raises(MineGISError) as refused:
            delivery_request(edition=books.draft, user=books.analyst, options=options)
        assert refused.value.code == "E-DEL-02"
    stranger = client_for(make_user("analyst", books.regions.turpan))
    body = {"edition": str(books.published.pk)}
    assert stranger.post(URL, body, content_type="application/json").status_code == 400
    assert stranger.get(URL).json()["results"] == []
    books.draft.computed_at = None
    books.draft.save(update_fields=["computed_at"])
    with pytest.raises(MineGISError) as refused:
        delivery_request(edition=books.draft, user=books.analyst)
    assert refused.value.code == "E-DEL-01"
    assert not Delivery.objects.exists()


def test_the_command_writes_the_zip_or_names_what_is_missing(small_books, tmp_path):
    code = small_books.regions.changji.code
    call_command("report", year=2022, region=code, output=tmp_path / "out", maps=0, evidence=0, unit="某局")
    (made,) = (tmp_path / "out").iterdir()
    assert made.name == f"MineGIS_2022_v1_{code}.zip"
    assert {"patches.gpkg", "report.pdf", "SHA256SUMS"} <= set(_packed(made))
    with pytest.raises(CommandError, match="no computed edition"):
        call_command("report", year=1999, region="652300", output=tmp_path)
