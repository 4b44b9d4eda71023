"""The parts of `config.up`: child processes, what to run, what to say. No Django in here."""
