"""What was announced, and when."""
