import pytest

from landdamage.reports.tables import build
from landdamage.selectors.editions import edition_data

pytestmark = pytest.mark.django_db


def test_the_api_prints_the_tables_of_the_report(small_books, client_for, make_user):
    books = small_books
    address = f"/api/v1/editions/{books.draft.pk}/tables/"
    answer = client_for(books.analyst).get(address, {"lang": "en"})
    told = {table["code"]: table for table in answer.json()}
    for code, table in build(edition_data(books.draft, books.analyst), "en").items():
        assert told[code]["title"] == table.title
        assert [column["head"] for column in told[code]["columns"]] == table.heads
        assert [row["cells"] for row in told[code]["rows"]] == [[c.text for c in row.cells] for row in table.rows]
    heads = {column["key"] for column in told["T3"]["columns"]}
    assert "licence_no" in heads
    assert "outside" not in heads  # for reviewers and managers only
    assert client_for(books.viewer).get(address).status_code == 404
    published = f"/api/v1/editions/{books.published.pk}/tables/"
    for_viewer = {table["code"]: table for table in client_for(books.viewer).get(published).json()}
    assert "licence_no" not in {column["key"] for column in for_viewer["T3"]["columns"]}
    assert client_for(books.analyst).get(address, {"lang": "fr"}).status_code == 400
    assert client_for(make_user("analyst", books.regions.turpan)).get(published).status_code == 404
