"""One step of the tracker on the package's pictures, by which models with a byte for each weight are judged."""

PICTURES = "pictures"  # key of its result
PRECISION = "w8"  # of the models that are judged so; those of others are far nearer to the network
