"""What is asked: real requests, made-up ones, edge cases."""
