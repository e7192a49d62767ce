"""Dumps of a device against golden vectors: which tensor is off, and why.

:func:`converter.dumps.diagnose.diagnose_dumps` compares, :func:`converter.dumps.table.print_dumps` prints.
"""
