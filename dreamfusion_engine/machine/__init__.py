"""The computer: devices, memory, threads, processes, files and folders."""
