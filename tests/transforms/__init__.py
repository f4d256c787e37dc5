"""The transforms: their text, their engine, their contract; each family in a folder of its own."""
