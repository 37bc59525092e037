"""This library beside two hand-written peers: the same core of gold from the same files, time and peak memory."""
