// The tests of Bench.
