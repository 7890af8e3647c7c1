"""Keypoints of a picture: detected, stored, matched and verified by a geometry. Mathematics only."""
