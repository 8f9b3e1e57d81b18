"""What the command line does besides generating: arguments, lists, tables, the doctor."""
