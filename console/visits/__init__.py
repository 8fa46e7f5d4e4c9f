"""Short visits to what the pipeline leans on, under a deadline, with their faults told in words."""
