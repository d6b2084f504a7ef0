"""Acts on the plans of `roost.analysis`: drains on-demand nodes whose pods have a place on spot nodes."""
