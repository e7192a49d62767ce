"""A clip tracked by the network and by the converted models, frame by frame, and how their boxes agree.

Importing this package imports no OpenCV and no runtime.
"""
