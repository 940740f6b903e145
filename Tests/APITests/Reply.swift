import HTTPServer
import JSON

@testable import API

/// A response taken apart.
struct Reply {
    let status: Int
    let body: [UInt8]
    private let fields: [(name: String, value: String)]

    init(_ response: Response) {
        status = response.status
        body = response.body
        fields = response.headers.all
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
) -> Request {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    return Request(
        method: HTTPMethod(method), path: String(parts[0]), query: parts.count == 2 ? String(parts[1]) : nil,
        headers: HTTPHeaders(headers), body: Array(body.utf8))
}

extension RequestHeaders {
    init(_ pairs: [(name: String, value: String)]) {
        self.init(HTTPHeaders(pairs))
    }
}
