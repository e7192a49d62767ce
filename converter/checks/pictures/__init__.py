"""One step of the tracker on the package's pictures, by which models are judged that store weights in bytes."""

PICTURES = "pictures"  # key of its result
