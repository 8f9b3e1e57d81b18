"""Training and evaluation of the judge, on the corpus of the starter model."""
