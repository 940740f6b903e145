import HTTPServer
import JSON

/// A response taken apart.
struct Reply {
    let status: Int
    let body: [UInt8]
    private let fields: [(name: String, value: String)]

    init(_ response: HTTPResponse) {
        status = response.status
        body = response.body
        fields = response.headers
    }

    /// The value of a header field, whose name is given in lower case.
    subscript(name: String) -> String? {
        fields.first { $0.name.lowercased() == name }?.value
    }

    var json: JSONValue {
        get throws { try JSONValue(parsing: body) }
    }
}

func request(
    _ method: String, _ target: String, _ headers: [(name: String, value: String)] = [], _ body: String = ""
) -> HTTPRequest {
    HTTPRequest(method: method, target: Array(target.utf8), headers: headers, body: Array(body.utf8))
}
