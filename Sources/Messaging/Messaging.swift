// The sources of Messaging.
