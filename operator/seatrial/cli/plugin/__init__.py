"""Commands that speak with a cluster; as ``kubectl seatrial`` they are a plugin of kubectl."""
