"""Routers: they turn a division of traffic among versions into a gateway's own object, and read it back."""
