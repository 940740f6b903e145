// The sources of Digest.
