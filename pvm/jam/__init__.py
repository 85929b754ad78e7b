"""JAM around the machine: what services and the chain ask of each other. So far the table of host calls."""
