"""What is in deploy/: read, checked, and where the programs are, tried."""
