"""What the phone uses TLS for, a folder each."""
