"""The arithmetic of quantization, on plain arrays."""
