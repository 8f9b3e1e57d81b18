"""What a run needs of memory, and how it is made to fit."""
