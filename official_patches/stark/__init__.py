"""STARK-Lightning."""
