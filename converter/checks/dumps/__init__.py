"""Dumps of a device against golden vectors: which tensor is off, and why.

:func:`.diagnose.diagnose_dumps` compares; its report has ``section()``.
"""
