"""What several benchmarks need: how to measure, scenes, lists of prompts, pictures for the judge, exact shapes."""
