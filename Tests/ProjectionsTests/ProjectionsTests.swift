// The tests of Projections.
