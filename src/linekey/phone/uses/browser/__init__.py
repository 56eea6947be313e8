"""The minibrowser: a server's pages on the screen."""
