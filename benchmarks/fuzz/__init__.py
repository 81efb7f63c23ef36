"""The parts of the fuzz campaign: random pairs, and judges that share no code with the decider."""
