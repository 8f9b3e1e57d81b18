"""Check a request before anything heavy is imported or written. The command line and the server use the same words."""
