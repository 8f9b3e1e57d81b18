"""Runtimes of the denoiser on a CPU: torch or OpenVINO, chosen by measurement."""
