"""How long each part takes, beside the same in plain torch or beside the least that its arithmetic allows."""
