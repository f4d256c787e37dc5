"""The graph: who reads what, functions and loops, references that become handles."""
