// SystemTests.
