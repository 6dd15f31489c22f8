"""The SQL console: a person's query over committed snapshots, in a process that can read nothing else."""
