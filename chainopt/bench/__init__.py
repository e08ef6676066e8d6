"""Every method on every instance: runs, results, summaries."""
