// What a collection's scripts see: the `pm` of Postman as far as this project's collection uses it, and nothing that
// pretends: a member that is not here is an error in the run. Loaded by contract_postman.py.
"use strict";

var results = [];
var scopes = { environment: {}, collectionVariables: {}, globals: {}, variables: {} };

function show(value) {
    return value === undefined ? "undefined" : JSON.stringify(value);
}

function same(left, right) {
    if (left === right) return true;
    if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
    var names = Object.keys(left);
    if (Array.isArray(left) !== Array.isArray(right) || names.length !== Object.keys(right).length) return false;
    return names.every(function (name) {
        return Object.prototype.hasOwnProperty.call(right, name) && same(left[name], right[name]);
    });
}

function typeName(value) {
    if (value === null) return "null";
    return Array.isArray(value) ? "array" : typeof value;
}

function size(value) {
    if (typeof value === "string" || Array.isArray(value)) return value.length;
    return Object.keys(value).length;
}

// A chain as in chai: words that only read well return the chain, assertions check and return it.
function Expectation(value, message) {
    this.value = value;
    this.message = message ? message + ": " : "";
    this.negated = false;
    this.isDeep = false;
}

Expectation.prototype.check = function (truth, words) {
    if (Boolean(truth) !== this.negated) return this;
    var not = this.negated ? "not " : "";
    throw new Error(this.message + "expected " + show(this.value) + " " + not + words);
};

["to", "be", "been", "is", "that", "which", "and", "has", "have", "with", "at", "of"].forEach(function (word) {
    Object.defineProperty(Expectation.prototype, word, { get: function () { return this; } });
});

function property(name, body) {
    Object.defineProperty(Expectation.prototype, name, { get: body });
}

property("not", function () {
    this.negated = !this.negated;
    return this;
});
property("deep", function () {
    this.isDeep = true;
    return this;
});
property("true", function () { return this.check(this.value === true, "to be true"); });
property("false", function () { return this.check(this.value === false, "to be false"); });
property("null", function () { return this.check(this.value === null, "to be null"); });
property("undefined", function () { return this.check(this.value === undefined, "to be undefined"); });
property("ok", function () { return this.check(this.value, "to be truthy"); });
property("exist", function () { return this.check(this.value !== null && this.value !== undefined, "to exist"); });
property("empty", function () { return this.check(size(this.value) === 0, "to be empty"); });

Expectation.prototype.a = Expectation.prototype.an = function (type) {
    return this.check(typeName(this.value) === type, "to be a " + type);
};
Expectation.prototype.equal = Expectation.prototype.equals = function (other) {
    var truth = this.isDeep ? same(this.value, other) : this.value === other;
    return this.check(truth, "to equal " + show(other));
};
Expectation.prototype.eql = function (other) {
    return this.check(same(this.value, other), "to deeply equal " + show(other));
};
Expectation.prototype.oneOf = function (list) {
    return this.check(list.indexOf(this.value) >= 0, "to be one of " + show(list));
};
Expectation.prototype.match = function (pattern) {
    return this.check(pattern.test(this.value), "to match " + pattern);
};
Expectation.prototype.include = function (part) {
    var truth = typeof part === "object" && !Array.isArray(this.value)
        ? Object.keys(part).every(function (name) { return same(this.value[name], part[name]); }, this)
        : this.value.indexOf(part) >= 0;
    return this.check(truth, "to include " + show(part));
};
Expectation.prototype.above = function (bound) { return this.check(this.value > bound, "to be above " + bound); };
Expectation.prototype.below = function (bound) { return this.check(this.value < bound, "to be below " + bound); };
Expectation.prototype.least = function (bound) { return this.check(this.value >= bound, "to be at least " + bound); };
Expectation.prototype.most = function (bound) { return this.check(this.value <= bound, "to be at most " + bound); };
Expectation.prototype.lengthOf = function (length) {
    return this.check(size(this.value) === length, "to have length " + length);
};
Expectation.prototype.property = function (name, value) {
    var has = this.value !== null && typeof this.value === "object" && name in this.value;
    if (arguments.length === 1) return this.check(has, "to have the property " + name);
    return this.check(has && same(this.value[name], value), "to have " + name + " = " + show(value));
};
Expectation.prototype.keys = function () {
    var wanted = Array.isArray(arguments[0]) ? arguments[0] : Array.prototype.slice.call(arguments);
    return this.check(same(Object.keys(this.value).sort(), wanted.slice().sort()), "to have the keys " + show(wanted));
};

function Response(raw) {
    this.code = raw.code;
    this.status = raw.reason;
    this.responseTime = raw.milliseconds;
    this.body = raw.body;
    var headers = raw.headers;
    this.headers = {
        get: function (name) {
            var found = headers.filter(function (pair) { return pair[0].toLowerCase() === name.toLowerCase(); });
            return found.length ? found[0][1] : undefined;
        },
        has: function (name) { return this.get(name) !== undefined; },
    };
    var response = this;
    this.to = {
        have: {
            status: function (code) {
                new Expectation(response.code, "status, of " + response.body).equal(code);
            },
            header: function (name, value) {
                var got = new Expectation(response.headers.get(name), "header " + name);
                if (arguments.length === 1) return got.exist;
                return got.equal(value);
            },
        },
    };
}

Response.prototype.text = function () { return this.body; };
Response.prototype.json = function () { return JSON.parse(this.body); };

function scope(name) {
    var values = scopes[name];
    return {
        get: function (key) { return values[key]; },
        set: function (key, value) { values[key] = value; },
        unset: function (key) { delete values[key]; },
        has: function (key) { return key in values; },
        replaceIn: substitute,
    };
}

var pm = {
    environment: scope("environment"),
    collectionVariables: scope("collectionVariables"),
    globals: scope("globals"),
    variables: scope("variables"),
    info: { requestName: "", eventName: "" },
    expect: function (value, message) { return new Expectation(value, message); },
    test: function (name, body) {
        try {
            body();
            results.push({ name: name, error: null });
        } catch (error) {
            results.push({ name: name, error: String(error && error.message || error) });
        }
    },
};
pm.variables.get = find;

var console = { log: function () {}, info: function () {}, warn: function () {}, error: function () {} };

// Narrowest scope first, as Postman looks for a name.
function find(name) {
    var places = [scopes.variables, scopes.environment, scopes.collectionVariables, scopes.globals];
    for (var place of places) if (name in place) return place[name];
    return undefined;
}

function hex(count) {
    var text = "";
    for (var index = 0; index < count; index += 1) text += Math.floor(Math.random() * 16).toString(16);
    return text;
}

function guid() {
    return [hex(8), hex(4), "4" + hex(3), "a" + hex(3), hex(12)].join("-");
}

function substitute(text) {
    return text.replace(/\{\{([^{}]+)\}\}/g, function (whole, name) {
        if (name === "$guid" || name === "$randomUUID") return guid();
        if (name === "$timestamp") return String(Math.floor(Date.now() / 1000));
        var value = find(name);
        if (value === undefined || value === null) throw new Error("no variable is called " + name);
        return String(value);
    });
}

function setVariable(scopeName, name, value) { scopes[scopeName][name] = value; }

// Runs one script; returns what it tested, as JSON. An error outside a test is a failed test, too.
function runScript(source, eventName, requestName, response) {
    results = [];
    pm.info.requestName = requestName;
    pm.info.eventName = eventName;
    if (response) pm.response = new Response(JSON.parse(response)); else delete pm.response;
    try {
        new Function("pm", "console", source)(pm, console);
    } catch (error) {
        results.push({ name: eventName + " script", error: String(error && error.message || error) });
    }
    return JSON.stringify(results);
}
