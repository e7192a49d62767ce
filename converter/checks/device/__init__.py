"""ncnn models on another device, mode by mode: what the emulated ARM cpu and Vulkan's devices have in common."""
