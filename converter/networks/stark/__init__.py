"""STARK-Lightning, the sister of LightTrack. Importing this package does not import torch."""
