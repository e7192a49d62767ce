"""lighttrack-export: from a trained LightTrack checkpoint to verified deployment models."""

__version__ = "0.1.0"
