// The tests of Messaging.
