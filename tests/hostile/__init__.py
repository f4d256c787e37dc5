"""Servables that are damaged or made to harm: refused in bounded time and memory, or answered alike."""
