// The sources of Runtime.
