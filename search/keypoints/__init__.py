"""Keypoints of a picture: found, stored, matched and checked against a geometry. Mathematics only."""
