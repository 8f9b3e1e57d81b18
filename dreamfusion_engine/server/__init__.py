"""The engine as a process that a client drives over its standard input and output."""
