"""A seeded mining district with exact truth: the demo, the oracle of tests, and training material."""

from landdamage.simulation.district import District, SimulatedScene

__all__ = ["District", "SimulatedScene"]
