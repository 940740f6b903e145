// The sources of JSON.
