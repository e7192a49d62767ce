"""The real ARM kernels of ncnn, run under user-mode emulation: what a phone will compute, before a phone is touched."""
