"""Drift: does a feature or a prediction still look as it did, and who is to blame when it doesn't.

Counts by bin go in; a level, the numbers behind it and one sentence come out. Nothing here knows where counts come
from.

- :mod:`~seatrial.judge.drift.histogram`: counts by bin, and bringing two sides onto the same bins
- :mod:`~seatrial.judge.drift.chance`: how large a difference chance alone makes
- :mod:`~seatrial.judge.drift.statistics`: how different two histograms are, by six measures
- :mod:`~seatrial.judge.drift.margins`: the same of sums over bins of which some are rare
- :mod:`~seatrial.judge.drift.elsewhere`: what can be said of histograms on different edges
- :mod:`~seatrial.judge.drift.compare`: one feature, and all features of a model together
- :mod:`~seatrial.judge.drift.shares`: missing and out-of-range values
- :mod:`~seatrial.judge.drift.blame`: the table of blame
- :mod:`~seatrial.judge.drift.sketch`: histograms as a few characters
"""
