"""How fast the kernels are, from commit to commit."""
