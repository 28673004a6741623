"""What prices did: daily bars and bars within the day."""
