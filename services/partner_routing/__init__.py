"""Partner-routing: opens a leg for each partner and follows it until the outcome was told."""
