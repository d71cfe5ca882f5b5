"""The measurements, kept apart from the tests."""
