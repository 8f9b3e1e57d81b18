"""Pictures that a run is given: read in any kind, cut out, and put before a camera."""
