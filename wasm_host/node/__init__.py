"""A JAM node's parts that need more than Python: fast cryptography, import of traces, the fuzz protocol's target."""
