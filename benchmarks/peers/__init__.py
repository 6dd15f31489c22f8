"""What we are compared with, each a program of its own that converts files and keeps nothing else."""
