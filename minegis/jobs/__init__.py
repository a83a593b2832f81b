"""Long work: state in the row, heartbeat, fenced attempts, progress, cancel, resume."""
