"""How fast an export is on this machine: torch, ncnn and onnxruntime taking turns, each in a process of its own."""

MEASURED = "lt-bench measures folders that lt-export wrote; lt-export CHECKPOINT makes one"
