"""Trains a small Fast-WAM, end to end and from nothing, on a simulated table-top."""
