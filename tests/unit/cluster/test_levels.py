import pytest

from cluster.errors import ClusterError
from cluster.levels import choose, explain

NOTHING: dict[str, list[str]] = {"kind": ["Docker"], "node": ["root"], "control-plane": []}
ROOT: dict[str, list[str]] = {"kind": ["Docker"], "node": [], "control-plane": []}


def test_the_most_real_possible_level_is_given() -> None:
    assert choose(NOTHING, None) == "control-plane"
    assert choose(ROOT, None) == "node"
    assert choose({"kind": [], "node": [], "control-plane": []}, None) == "kind"


def test_a_lower_level_can_be_forced_and_a_higher_one_says_what_it_lacks() -> None:
    assert choose(ROOT, "control-plane") == "control-plane"
    with pytest.raises(ClusterError, match="kind can't be had here; it needs Docker"):
        choose(ROOT, "kind")


def test_the_user_learns_what_the_next_levels_need() -> None:
    said = " ".join(explain(NOTHING, "control-plane"))
    assert "simulated" in said
    assert "(node) needs root" in said
    assert said.index("(node)") < said.index("(kind) needs Docker")
    assert "--level node" in " ".join(explain(ROOT, "control-plane"))
