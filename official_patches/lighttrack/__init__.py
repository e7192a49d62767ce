"""LightTrack."""
