"""The C++ tracker that lt-cpp writes: its library, and whether it tracks as the procedure in Python does."""
