"""Whole collections and whole sites, out to files and back; docs/moving.md has the formats."""
