"""A federation in NVFlare of three sites, one of which plants a backdoor."""
