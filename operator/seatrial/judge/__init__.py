"""Judgement of a version: counts in, verdict and sentence out.

Pure and deterministic: no clock, no I/O, no logging. Time and measurements are arguments.

- :mod:`~seatrial.judge.types`: objective, counts, evidence, judgement
- :mod:`~seatrial.judge.evalue`: the statistics, and why they may be looked at after every request
- :mod:`~seatrial.judge.restart`: where fresh tests begin
- :mod:`~seatrial.judge.judge`: from evidence to verdicts
"""
