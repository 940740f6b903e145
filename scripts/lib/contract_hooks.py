"""What schemathesis must not try: HTTP lets a client send header fields that the document does not name."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    return "x-schemathesis-unknown-property" not in (case.headers or {})
