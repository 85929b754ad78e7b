"""JAM around the machine: the state transition of blocks, and services with their host calls. See `README.md` here."""
