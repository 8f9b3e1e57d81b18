"""How long a run takes on this machine, told beforehand."""
