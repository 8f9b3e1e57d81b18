"""What every kind of run needs around its own method: the teacher, the stages' times, the report."""
