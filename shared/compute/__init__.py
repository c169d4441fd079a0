"""What more compute is expected to gain, and how a budget of it is shared out: pure functions."""
