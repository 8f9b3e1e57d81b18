"""The commands besides generate: arguments, lists, tables, the doctor."""
