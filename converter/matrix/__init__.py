"""Many exports from one plan: checkpoints, path names, formats, sizes, presets and precisions, a cell for each."""

RESULTS, MODELS = "results.jsonl", "models"
