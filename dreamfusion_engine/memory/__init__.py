"""The memory that a run needs, and how a run is made to fit."""
