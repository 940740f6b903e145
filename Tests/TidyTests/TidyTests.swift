// TidyTests.
