"""Who computes which block of a scene that several workers interpret: rows of a run that is under way."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from landdamage.models.interpretation import InterpretationRun


class InterpretationBlock(models.Model):
    """A run of strips: free -> taken -> done. The rows go when the run ends; what was computed is in its files."""

    class State(models.TextChoices):
        """Where the block stands; a taken one whose lease has run out is as good as free."""

        FREE = "free", _("Free")
        TAKEN = "taken", _("Taken")
        DONE = "done", _("Done")

    run = models.ForeignKey(InterpretationRun, models.CASCADE, related_name="blocks", verbose_name=_("run"))
    number = models.PositiveIntegerField(_("number"))
    # Equal for workers that would write the same bits; others leave the block alone.
    key = models.CharField(_("key of the inputs"), max_length=16)
    state = models.CharField(_("state"), max_length=5, choices=State.choices, default=State.FREE)
    attempt_id = models.UUIDField(_("attempt"), null=True, blank=True, editable=False)
    worker = models.CharField(_("worker"), max_length=120, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    claims = models.PositiveIntegerField(_("times taken"), default=0)
    windows = models.PositiveIntegerField(_("windows computed"), default=0)

    class Meta:
        verbose_name = _("block of an interpretation")
        verbose_name_plural = _("blocks of interpretations")
        ordering = ["run", "number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="one_row_per_block"),
            models.CheckConstraint(
                condition=~models.Q(state="taken") | models.Q(attempt_id__isnull=False, lease_until__isnull=False),
                name="taken_block_has_an_attempt",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.number} {self.state}"
