"""Fitting the quality reward's head to preference pairs: data → frozen features → head → evaluation → model card."""
