"""Pure builders of optimization models, one file a formulation; they never solve, and never import chainopt."""
