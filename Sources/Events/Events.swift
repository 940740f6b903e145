// The sources of Events.
