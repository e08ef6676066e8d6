"""Pictures of compositions and of how they do; matplotlib comes with ``chainopt[report]``."""
