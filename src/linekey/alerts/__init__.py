"""What is told to people and their programs: messages, webhooks, mail."""
