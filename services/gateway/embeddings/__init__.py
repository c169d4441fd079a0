"""What embeds texts for callers: the mutation service's encoder, or an endpoint of the operator's."""
