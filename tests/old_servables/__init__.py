"""Servables that TensorFlow 1.15 exported, and the scripts that made them."""
