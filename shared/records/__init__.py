"""What an evolution is and was: values only."""
