// The sources of Projections.
