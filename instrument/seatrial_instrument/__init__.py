"""Counters and histograms that say what a model server sees and answers."""
