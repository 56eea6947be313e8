"""What the people who run phones see in a browser."""
