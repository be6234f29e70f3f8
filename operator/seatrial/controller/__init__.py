"""The tick (observe, judge, decide, record, act, report), and the only kopf code."""
