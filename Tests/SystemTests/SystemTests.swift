import Testing

/// Tests of the built program with real servers, as an operator and a client see it. One at a time: each loads the
/// machine, and two that kill servers would tell little about either.
@Suite(.serialized) enum SystemTests {}
