"""Judgement of a version: counts in, verdict and sentence out.

Pure and deterministic: no clock, no I/O, no logging. Time and measurements are arguments.

- :mod:`~seatrial.judge.types`: objective, counts, evidence, judgement
- :mod:`~seatrial.judge.evalue`: the statistics, and why they may be looked at after every request
- :mod:`~seatrial.judge.restart`: where fresh tests begin
- :mod:`~seatrial.judge.attribution`: is it the candidate, or what it shares with stable
- :mod:`~seatrial.judge.judge`: from evidence to judgements, many rollouts at once
- :mod:`~seatrial.judge.verdict`: the rules, and the words
- :mod:`~seatrial.judge.guard`, :mod:`~seatrial.judge.pod_events`, :mod:`~seatrial.judge.split`: what else may speak
  against a version, or against the router
- :mod:`~seatrial.judge.compare`: objectives relative to stable
- :mod:`~seatrial.judge.budget`, :mod:`~seatrial.judge.tiers`: the budget of the service over its window
- :mod:`~seatrial.judge.detection`: what a trial can detect and prove, before it runs
- :mod:`~seatrial.judge.dispersion`: how clustered errors are
- :mod:`~seatrial.judge.labels`: calibration, differences between groups, and when labels may act
- :mod:`~seatrial.judge.drift`: features and predictions that no longer look as they did, and who is to blame
"""
