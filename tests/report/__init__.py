"""What the record of an optimization says."""
