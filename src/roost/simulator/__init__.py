"""Deciding without a cluster: `decide` and `simulate` on plain objects, for notebooks and unit tests."""

from roost.simulator.face import Simulation, decide, simulate

__all__ = ["Simulation", "decide", "simulate"]
