"""The only place that knows the insides of an official checkout."""
