// The tests of HTTPServer.
