"""Other makers' virtual phones: what they ask for, and how they read what they get."""
