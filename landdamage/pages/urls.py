"""Pages of the land-damage application."""

from django.urls import path

from landdamage.pages import (
    accounts,
    chips,
    deciding,
    decisions,
    deliveries,
    edition,
    edition_actions,
    edition_cells,
    overview,
    samples,
    scene,
    scenes,
)

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("scenes/", scenes.scenes, name="scenes"),
    path("scenes/<uuid:scene_id>/", scene.scene, name="scene"),
    path("scenes/<uuid:scene_id>/progress/", scene.progress, name="scene-progress"),
    path("scenes/<uuid:scene_id>/start/", scene.start, name="scene-start"),
    path("accounts/", accounts.accounts, name="accounts"),
    path("accounts/make/", accounts.make, name="accounts-make"),
    path("editions/<uuid:edition_id>/", edition.edition, name="edition"),
    path("editions/<uuid:edition_id>/progress/", edition.progress, name="edition-progress"),
    path("editions/<uuid:edition_id>/cells/", edition_cells.edition_cells, name="edition-cells"),
    path("editions/<uuid:edition_id>/ask/<slug:name>/", edition_actions.ask, name="edition-ask"),
    path("editions/<uuid:edition_id>/do/<slug:name>/", edition_actions.do, name="edition-do"),
    path("editions/<uuid:edition_id>/deliveries/", deliveries.deliveries, name="deliveries"),
    path("editions/<uuid:edition_id>/deliveries/ask/", deliveries.ask, name="deliveries-ask"),
    path("deliveries/<uuid:delivery_id>/", deliveries.download, name="delivery-download"),
    path("review/", decisions.review, name="review"),
    path("editions/<uuid:edition_id>/decisions/", decisions.decisions, name="decisions"),
    path("editions/<uuid:edition_id>/decisions/ask/", deciding.ask, name="decisions-ask"),
    path("editions/<uuid:edition_id>/decisions/decide/", deciding.decide, name="decisions-decide"),
    path("pieces/<int:piece_id>/", decisions.piece, name="piece"),
    path("pieces/<int:piece_id>/<str:when>.png", chips.chip, name="piece-chip"),
    path("editions/<uuid:edition_id>/samples/", samples.samples, name="samples"),
    path("samples/<uuid:sample_id>/label/", samples.label, name="sample-label"),
    path("samples/points/<int:point_id>/<str:when>.png", samples.chip, name="sample-chip"),
]
