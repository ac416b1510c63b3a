"""Jobs, their steps, resuming and progress."""
