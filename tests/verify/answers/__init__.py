"""How servables are asked, in a process that may crash, and what is kept of their answers."""
