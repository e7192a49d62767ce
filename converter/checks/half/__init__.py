"""What of an ncnn export does not fit into half precision on ARM: ranges of blobs, bounds of sums, masks."""
