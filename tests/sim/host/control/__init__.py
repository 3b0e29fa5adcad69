"""Tests of the driver and of the model of the control plane."""
