"""Half precision's range, and how it is looked at."""

LARGEST = 65504.0
SMALLEST_NORMAL = 2.0**-14
NEAR = 4.0  # times headroom

RUN = "ranges of the blobs: ncnn in float32 on this machine"
BOUNDS = (
    "sums: upper bounds for these inputs, whatever the order of adding; no half kernel was run, "
    "--runtime ncnn-arm64 runs them"
)
