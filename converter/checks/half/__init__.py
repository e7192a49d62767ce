"""What half precision on ARM does to an ncnn export: ranges that were run, errors that were simulated, masks."""
