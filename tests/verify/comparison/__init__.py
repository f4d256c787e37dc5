"""When two answers count as alike."""
