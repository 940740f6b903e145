// The tests of Digest.
