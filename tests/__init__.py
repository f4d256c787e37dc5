"""What is promised to users, held by tests; README.md tells which promise is tested where."""
