"""A teacher that compares pictures with words: the Dream Fields loss (Jain 2021, arXiv 2112.01455)."""
