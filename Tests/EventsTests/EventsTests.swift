// The tests of Events.
