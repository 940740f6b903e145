"""Runs a Postman collection (v2.1) from top to bottom, its scripts included, as the application would.

    contract_postman.py COLLECTION ENVIRONMENT [NAME=VALUE ...]

Each NAME=VALUE takes the place of a value of the environment. Prints a line for each assertion and exits with 1 when
one fails, when a request gets no answer or asserts nothing, or when a variable has no value.
"""

import http.client
import json
import pathlib
import sys
import time
import urllib.parse

import quickjs


class Run:
    """One run: the scripts' world, and what it found."""

    def __init__(self, collection, environment, overrides):
        self.collection = collection
        self.passed = 0
        self.failed = 0
        self.engine = quickjs.Context()
        self.engine.set_time_limit(30)
        self.engine.eval(pathlib.Path(__file__).with_name("contract_pm.js").read_text(encoding="utf-8"))
        for variable in collection.get("variable", []):
            self.set("collectionVariables", variable["key"], variable.get("value", ""))
        for variable in environment.get("values", []):
            if variable.get("enabled", True):
                self.set("environment", variable["key"], variable.get("value", ""))
        for name, value in overrides:
            self.set("environment", name, value)

    def set(self, scope, name, value):
        self.engine.get("setVariable")(scope, name, value)

    def substitute(self, text):
        return self.engine.get("substitute")(text)

    def folder(self, items, path, scripts):
        for item in items:
            name = " / ".join(path + [item["name"]])
            own = scripts + item.get("event", [])
            if "item" in item:
                self.folder(item["item"], path + [item["name"]], own)
            else:
                self.request(item["request"], name, own)

    def request(self, request, name, scripts):
        before = self.passed + self.failed
        self.scripts(scripts, "prerequest", name, "")
        try:
            answer = self.exchange(request)
        except (OSError, http.client.HTTPException, quickjs.JSException) as error:
            self.report(name, "an answer", str(error))
            return
        self.scripts(scripts, "test", name, json.dumps(answer))
        if self.passed + self.failed == before:
            self.report(name, "asserts something", "there is no test")

    def exchange(self, request):
        url = request["url"] if isinstance(request["url"], str) else request["url"]["raw"]
        parts = urllib.parse.urlsplit(self.substitute(url))
        target = parts.path + ("?" + parts.query if parts.query else "")
        headers = [
            (header["key"], self.substitute(header["value"]))
            for header in request.get("header", [])
            if not header.get("disabled", False)
        ]
        body = b""
        if "body" in request:
            if request["body"]["mode"] != "raw":
                raise http.client.HTTPException("only raw bodies are known here")
            body = self.substitute(request["body"]["raw"]).encode()
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            started = time.monotonic()
            connection.putrequest(request["method"], target, skip_accept_encoding=True)
            for key, value in headers:
                connection.putheader(key, value)
            if body or request["method"] == "POST":
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            text = response.read().decode("utf-8")
        finally:
            connection.close()
        return {
            "code": response.status,
            "reason": response.reason,
            "milliseconds": round((time.monotonic() - started) * 1000),
            "headers": response.getheaders(),
            "body": text,
        }

    def scripts(self, events, kind, name, answer):
        for event in events:
            if event["listen"] != kind:
                continue
            source = event["script"]["exec"]
            source = source if isinstance(source, str) else "\n".join(source)
            for result in json.loads(self.engine.get("runScript")(source, kind, name, answer)):
                self.report(name, result["name"], result["error"])

    def report(self, request, test, error):
        if error is None:
            self.passed += 1
            print(f"ok      {request}: {test}")
        else:
            self.failed += 1
            print(f"FAILED  {request}: {test}: {error}")


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    collection, environment = (json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in arguments[:2])
    run = Run(collection, environment, [argument.split("=", 1) for argument in arguments[2:]])
    run.folder(collection["item"], [], collection.get("event", []))
    print(f"{run.passed} assertions passed, {run.failed} failed")
    return 1 if run.failed or not run.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
