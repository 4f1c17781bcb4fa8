"""A federation in Flower, two of whose clients plant a backdoor."""
