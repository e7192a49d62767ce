"""Layers of ncnn models that compute in int8: ranges, weights, tables, and their arithmetic in numpy."""
