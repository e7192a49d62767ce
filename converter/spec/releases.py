"""Releases of ncnn by their date, as its tags and the middle of pyncnn's versions are."""

import re

RELEASE = re.compile(r"^20[0-9]{6}$")
# The oldest that a model of ours was run with.
FLOOR = "20210720"
