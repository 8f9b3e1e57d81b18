"""Jobs: the queue, their folders and store, how long they take, downloads."""
