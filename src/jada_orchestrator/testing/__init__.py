"""Fakes and the simulator: typed, shipped, and forbidden to production code."""
