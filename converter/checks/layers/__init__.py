"""Where it goes wrong first: a converted graph and the PyTorch network, layer by layer on the same input.

Neither side's names are believed. Both are lowered to the same small vocabulary of primitives
(:mod:`kinds`), put into one canonical order and aligned (:mod:`align`); what a converted layer should
give is then what the layers behind it read in the network (:mod:`expect`), and the blame for a difference
goes to the layer that does not make of its own inputs what the network makes of them (:mod:`blame`).
"""
