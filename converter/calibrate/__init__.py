"""Calibration sets: what a tracker's graphs are fed with on clips, as quantisers want it."""
