"""What the runtime needs from the world, as Protocols with their contracts in the docstrings.

`tests/conformance` holds one suite per port, run on every implementation, fakes included.
"""
