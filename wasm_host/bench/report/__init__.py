"""What was measured: figures, as tables, as a page, as JSON and back, and against earlier ones."""
