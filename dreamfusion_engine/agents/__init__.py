"""The engine for agents: a Model Context Protocol server over standard input and output, in front of `serve`."""
