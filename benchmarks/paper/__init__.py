"""The paper's experiments, done anew: in its settings, and in those of its authors' simulator."""
