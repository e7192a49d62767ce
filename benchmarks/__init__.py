"""Timings of lt-export beside the flow that people go through by hand."""
