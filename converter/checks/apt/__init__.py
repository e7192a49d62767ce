"""The distribution's packages, unpacked into a folder of their own by an ordinary user; nothing is installed."""
