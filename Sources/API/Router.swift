import Ledger

/// A request method that some route knows.
enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
}

/// What a route does.
enum Route: Int, CaseIterable, Sendable {
    case openWallet
    case wallet
    case debit
    case credit
    case transfers
    case transfer
    case complete
    case revert
    case health
    case ready

    /// Whether it changes something.
    var isWrite: Bool {
        switch self {
        case .openWallet, .debit, .credit, .complete, .revert: true
        case .wallet, .transfers, .transfer, .health, .ready: false
        }
    }
}

extension Route {
    /// The status of a success.
    var successStatus: Int {
        switch self {
        case .openWallet, .debit, .credit: 201
        case .wallet, .transfers, .transfer, .complete, .revert, .health, .ready: 200
        }
    }
}

/// Where a request goes, with the ids of its path.
struct Destination: Sendable {
    let endpoint: Route
    var walletID = WalletID(RawUUID(bits: 0))
    var transferID = TransferID(RawUUID(bits: 0))
}

/// The table of routes.
enum Router {
    /// One piece of a path.
    private enum Segment: Sendable {
        case word(StaticString)
        /// `wallet` or `wallets`.
        case wallets
        case walletID
        case transferID
    }

    /// A path and its methods.
    private struct Resource: Sendable {
        let segments: [Segment]
        let methods: [(method: Method, endpoint: Route)]

        /// The value of `Allow`.
        var allow: String {
            methods.map { $0.method == .get ? "GET, HEAD" : $0.method.rawValue }.joined(separator: ", ")
        }
    }

    private static let resources: [Resource] = [
        Resource(
            segments: [.word("v1"), .wallets, .walletID, .word("transfers"), .word("debit")],
            methods: [(.post, .debit)]),
        Resource(
            segments: [.word("v1"), .wallets, .walletID, .word("transfers"), .word("credit")],
            methods: [(.post, .credit)]),
        Resource(
            segments: [.word("v1"), .wallets, .walletID, .word("transfers"), .transferID, .word("complete")],
            methods: [(.post, .complete)]),
        Resource(
            segments: [.word("v1"), .wallets, .walletID, .word("transfers"), .transferID, .word("revert")],
            methods: [(.post, .revert)]),
        Resource(
            segments: [.word("v1"), .wallets, .walletID, .word("transfers"), .transferID],
            methods: [(.get, .transfer)]),
        Resource(segments: [.word("v1"), .wallets, .walletID, .word("transfers")], methods: [(.get, .transfers)]),
        Resource(segments: [.word("v1"), .wallets, .walletID], methods: [(.get, .wallet)]),
        Resource(segments: [.word("v1"), .wallets], methods: [(.post, .openWallet)]),
        Resource(segments: [.word("v1"), .word("health")], methods: [(.get, .health)]),
        Resource(segments: [.word("v1"), .word("ready")], methods: [(.get, .ready)]),
    ]

    /// The template and method of an endpoint, for metrics and logs.
    static func template(of endpoint: Route) -> (method: Method, path: String) {
        for resource in resources {
            guard let entry = resource.methods.first(where: { $0.endpoint == endpoint }) else { continue }
            let path = resource.segments.map { segment in
                switch segment {
                case .word(let word): "/" + word.description
                case .wallets: "/wallet"
                case .walletID: "/{wallet_id}"
                case .transferID: "/{transfer_id}"
                }
            }.joined()
            return (entry.method, path)
        }
        return (.get, "")
    }

    /// Finds the endpoint of a request. Throws 404, 405 with `Allow`, and 400 for ids and escapes that are none.
    static func destination(method: String, path: some Collection<UInt8>) throws(Problem) -> Destination {
        let segments = try segments(of: path)
        guard let segments, let resource = resources.first(where: { matches($0.segments, segments) }) else {
            throw Problem(.routeNotFound, "There is no such route.")
        }
        let wanted = method == "HEAD" ? Method.get : Method(rawValue: method)
        guard let entry = resource.methods.first(where: { $0.method == wanted }) else {
            var problem = Problem(.methodNotAllowed, "This route knows \(resource.allow).")
            problem.allow = resource.allow
            throw problem
        }
        return try destination(entry.endpoint, resource, segments)
    }

    private static func destination(
        _ endpoint: Route, _ resource: Resource, _ segments: [[UInt8]]
    ) throws(Problem) -> Destination {
        var destination = Destination(endpoint: endpoint)
        var errors: [FieldError] = []
        for (segment, bytes) in zip(resource.segments, segments) {
            switch segment {
            case .word, .wallets: continue
            case .walletID:
                if let id = RawUUID(utf8: bytes) {
                    destination.walletID = WalletID(id)
                } else {
                    errors.append(FieldError("wallet_id", .malformed, "The wallet id in the path is not a UUID."))
                }
            case .transferID:
                if let id = RawUUID(utf8: bytes) {
                    destination.transferID = TransferID(id)
                } else {
                    errors.append(FieldError("transfer_id", .malformed, "The transfer id in the path is not a UUID."))
                }
            }
        }
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        return destination
    }

    private static func matches(_ pattern: [Segment], _ segments: [[UInt8]]) -> Bool {
        guard pattern.count == segments.count else { return false }
        for (segment, bytes) in zip(pattern, segments) {
            switch segment {
            case .word(let word): guard equal(bytes, word) else { return false }
            case .wallets: guard equal(bytes, "wallet") || equal(bytes, "wallets") else { return false }
            case .walletID, .transferID: guard !bytes.isEmpty else { return false }
            }
        }
        return true
    }

    /// The decoded pieces of a path; nil when it has more than any route.
    private static func segments(of path: some Collection<UInt8>) throws(Problem) -> [[UInt8]]? {
        guard path.first == 0x2F else { return nil }
        var segments: [[UInt8]] = []
        segments.reserveCapacity(6)
        for piece in path.dropFirst().split(separator: 0x2F, omittingEmptySubsequences: false) {
            guard segments.count < 6 else { return nil }
            guard let decoded = PercentEncoding.decode(piece, plusIsSpace: false) else {
                throw Problem("path", .malformed, "The path holds an escape that is none.")
            }
            segments.append(decoded)
        }
        return segments
    }

    private static func equal(_ bytes: [UInt8], _ word: StaticString) -> Bool {
        guard bytes.count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { $0.elementsEqual(bytes) }
    }
}

/// Strict percent-decoding.
enum PercentEncoding {
    /// The decoded bytes; nil when a `%` is not followed by two hexadecimal digits.
    static func decode(_ bytes: some Collection<UInt8>, plusIsSpace: Bool) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case 0x25:
                guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit) else {
                    return nil
                }
                result.append(high << 4 | low)
            case 0x2B where plusIsSpace: result.append(0x20)
            default: result.append(byte)
            }
        }
        return result
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
