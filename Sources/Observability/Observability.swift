// The sources of Observability.
