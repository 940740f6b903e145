// The sources of Bench.
