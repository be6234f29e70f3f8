"""What the operator says to services of the users: signed webhooks."""
