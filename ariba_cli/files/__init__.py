"""Access to files: untrusted ones opened safely and within limits, our own written atomically."""
