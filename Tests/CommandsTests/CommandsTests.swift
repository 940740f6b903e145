// The tests of Commands.
