"""Pure rollout logic: what was seen and what was judged go in, a decision comes out."""
