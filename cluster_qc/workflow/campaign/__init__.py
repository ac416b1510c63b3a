"""Campaigns: many jobs from one file, on this machine or in a Slurm queue, by executorlib."""
