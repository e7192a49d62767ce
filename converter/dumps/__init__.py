"""Dumps of a device against golden vectors: which tensor is off, and why."""

from converter.dumps.diagnose import MOST_RUNS, diagnose_dumps
from converter.dumps.report import DumpsReport, TensorReport

__all__ = ["MOST_RUNS", "DumpsReport", "TensorReport", "diagnose_dumps"]
