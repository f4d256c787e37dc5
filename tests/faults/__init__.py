"""What may go wrong around exporters that run unattended, done with real files and real processes."""
