import Ledger

/// A request method that some route knows.
enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
    case patch = "PATCH"
}

/// What a route does.
enum Route: Int, CaseIterable, Sendable {
    case openWallet
    case wallets
    case wallet
    case amend
    case debit
    case credit
    case transfers
    case transfer
    case complete
    case revert
    case reverse
    case extend
    case adjust
    case move
    case batch
    case transaction
    case balance
    case balanceAudit
    case entries
    case analytics
    case world
    case outbox
    case outboxRetry
    case drift
    case rebuild
    case rebuildAll
    case rebuilds
    case health
    case ready

    /// What the route asks of the ledger; nil for routes that do not write one operation.
    var operationKind: OperationKind? {
        switch self {
        case .openWallet: .openWallet
        case .amend: .amend
        case .debit: .debit
        case .credit: .credit
        case .complete: .complete
        case .revert: .revert
        case .reverse: .reverse
        case .extend: .extend
        case .adjust: .adjust
        case .move: .transfer
        case .wallets, .wallet, .transfers, .transfer, .batch, .transaction, .balance, .balanceAudit, .entries,
            .analytics, .world, .outbox, .outboxRetry, .drift, .rebuild, .rebuildAll, .rebuilds, .health, .ready:
            nil
        }
    }

    /// The status of a success.
    var successStatus: Int {
        switch self {
        case .openWallet, .debit, .credit, .reverse, .adjust, .move: 201
        case .rebuildAll: 202
        case .wallets, .wallet, .amend, .transfers, .transfer, .complete, .revert, .extend, .batch, .transaction,
            .balance, .balanceAudit, .entries, .analytics, .world, .outbox, .outboxRetry, .drift, .rebuild, .rebuilds,
            .health, .ready:
            200
        }
    }
}

/// Where a request goes, with the ids of its path.
struct Destination: Sendable {
    let endpoint: Route
    var walletID = WalletID(RawUUID(bits: 0))
    var transferID = TransferID(RawUUID(bits: 0))
    /// What is wrong with those ids. The route is known all the same, and says what else is wrong.
    var errors: [FieldError] = []
}

/// The table of routes.
enum Router {
    /// A path and its methods.
    private struct Resource: Sendable {
        let segments: [PathPattern]
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
            segments: [.word("v1"), .wallets, .walletID, .word("transfers"), .transferID, .word("reverse")],
            methods: [(.post, .reverse)]),
        Resource(
            segments: [.word("v1"), .wallets, .walletID, .word("transfers"), .transferID, .word("extend")],
            methods: [(.post, .extend)]),
        Resource(segments: [.word("v1"), .word("transfers")], methods: [(.post, .move)]),
        Resource(segments: [.word("v1"), .word("batches")], methods: [(.post, .batch)]),
        Resource(segments: [.word("v1"), .word("transfers"), .transferID], methods: [(.get, .transaction)]),
        Resource(segments: [.word("v1"), .word("transactions"), .transferID], methods: [(.get, .transaction)]),
        Resource(segments: [.word("v1"), .wallets, .walletID, .word("balance")], methods: [(.get, .balance)]),
        Resource(
            segments: [.word("v1"), .wallets, .walletID, .word("balance"), .word("audit")],
            methods: [(.get, .balanceAudit)]),
        Resource(segments: [.word("v1"), .wallets, .walletID, .word("entries")], methods: [(.get, .entries)]),
        Resource(segments: [.word("v1"), .wallets, .walletID, .word("analytics")], methods: [(.get, .analytics)]),
        Resource(segments: [.word("v1"), .word("admin"), .word("world")], methods: [(.get, .world)]),
        Resource(segments: [.word("v1"), .word("admin"), .word("drift")], methods: [(.get, .drift)]),
        Resource(segments: [.word("v1"), .word("admin"), .word("outbox")], methods: [(.get, .outbox)]),
        Resource(
            segments: [.word("v1"), .word("admin"), .word("outbox"), .word("retry")], methods: [(.post, .outboxRetry)]),
        Resource(
            segments: [.word("v1"), .word("admin"), .word("projections"), .word("rebuild")],
            methods: [(.get, .rebuilds), (.post, .rebuildAll)]),
        Resource(
            segments: [.word("v1"), .word("admin"), .word("projections"), .word("rebuild"), .walletID],
            methods: [(.post, .rebuild)]),
        Resource(
            segments: [.word("v1"), .wallets, .walletID, .word("transfers"), .transferID],
            methods: [(.get, .transfer)]),
        Resource(segments: [.word("v1"), .wallets, .walletID, .word("transfers")], methods: [(.get, .transfers)]),
        Resource(segments: [.word("v1"), .wallets, .walletID, .word("adjustments")], methods: [(.post, .adjust)]),
        Resource(segments: [.word("v1"), .wallets, .walletID], methods: [(.get, .wallet), (.patch, .amend)]),
        Resource(segments: [.word("v1"), .wallets], methods: [(.get, .wallets), (.post, .openWallet)]),
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

    /// Finds the endpoint of a request. Throws 404, 405 with `Allow`, and 400 for escapes that are none.
    static func destination(method: String, path: String) throws(Problem) -> Destination {
        var path = path
        let found = path.withUTF8 { bytes in
            Result { () throws(Problem) in try destination(method, bytes) }
        }
        return try found.get()
    }

    private static func destination(
        _ method: String, _ path: UnsafeBufferPointer<UInt8>
    ) throws(Problem) -> Destination {
        // Hardly anybody escapes what needs no escape.
        guard path.contains(0x25) else { return try destination(method, PathSegments(path)) }
        guard let decoded = PercentEncoding.decodePath(path) else {
            throw Problem(.malformedRequest, "The path holds an escape that is none.")
        }
        return try decoded.withUnsafeBufferPointer { (path) throws(Problem) in
            try destination(method, PathSegments(path))
        }
    }

    private static func destination(_ method: String, _ path: PathSegments?) throws(Problem) -> Destination {
        guard let path, let resource = resources.first(where: { path.matches($0.segments) }) else {
            throw Problem(.routeNotFound, "There is no such route.")
        }
        let wanted = method == "HEAD" ? Method.get : Method(rawValue: method)
        guard let entry = resource.methods.first(where: { $0.method == wanted }) else {
            var problem = Problem(.methodNotAllowed, "This route knows \(resource.allow).")
            problem.allow = resource.allow
            throw problem
        }
        return destination(entry.endpoint, resource, path)
    }

    private static func destination(_ endpoint: Route, _ resource: Resource, _ path: PathSegments) -> Destination {
        var destination = Destination(endpoint: endpoint)
        for (index, segment) in resource.segments.enumerated() {
            switch segment {
            case .word, .wallets: continue
            case .walletID:
                if let id = path.uuid(index) {
                    destination.walletID = WalletID(id)
                } else {
                    destination.errors.append(
                        FieldError("wallet_id", .malformed, "The wallet id in the path is not a UUID."))
                }
            case .transferID:
                if let id = path.uuid(index) {
                    destination.transferID = TransferID(id)
                } else {
                    destination.errors.append(
                        FieldError("transfer_id", .malformed, "The transfer id in the path is not a UUID."))
                }
            }
        }
        return destination
    }
}

/// One piece of a route's path.
enum PathPattern: Sendable {
    case word(StaticString)
    /// `wallet` or `wallets`.
    case wallets
    case walletID
    case transferID
}

/// The pieces of a path, as their places in its bytes: valid as long as these are lent.
private struct PathSegments {
    private static let most = 6

    private let bytes: UnsafeBufferPointer<UInt8>
    private var ends: InlineArray<6, Int> = .init(repeating: 0)
    private var count = 0

    /// Splits a path that has no escapes; nil when it has more pieces than any route.
    init?(_ path: UnsafeBufferPointer<UInt8>) {
        guard path.first == 0x2F else { return nil }
        bytes = path
        for index in 1...path.count where index == path.count || path[index] == 0x2F {
            guard count < Self.most else { return nil }
            ends[count] = index
            count += 1
        }
    }

    private func range(_ index: Int) -> Range<Int> { (index == 0 ? 1 : ends[index - 1] + 1)..<ends[index] }

    func uuid(_ index: Int) -> RawUUID? {
        RawUUID(utf8: UnsafeBufferPointer(rebasing: bytes[range(index)]))
    }

    func matches(_ pattern: [PathPattern]) -> Bool {
        guard pattern.count == count else { return false }
        for index in 0..<count {
            switch pattern[index] {
            case .word(let word): guard isWord(index, word) else { return false }
            case .wallets: guard isWord(index, "wallet") || isWord(index, "wallets") else { return false }
            case .walletID, .transferID: guard !range(index).isEmpty else { return false }
            }
        }
        return true
    }

    private func isWord(_ index: Int, _ word: StaticString) -> Bool {
        let range = range(index)
        guard range.count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { letters in
            for offset in 0..<letters.count where bytes[range.lowerBound + offset] != letters[offset] { return false }
            return true
        }
    }
}

/// Strict percent-decoding.
enum PercentEncoding {
    /// The decoded bytes of a path; nil when a `%` is not followed by two hexadecimal digits. A slash that was escaped
    /// separates nothing: it becomes a byte that is in no route.
    static func decodePath(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            guard byte == 0x25 else {
                result.append(byte)
                continue
            }
            guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit) else {
                return nil
            }
            let decoded = high << 4 | low
            result.append(decoded == 0x2F ? 0xFF : decoded)
        }
        return result
    }

    /// The decoded bytes of a query, where `+` is a space; nil when a `%` is not followed by two hexadecimal digits.
    static func decode(_ bytes: some Collection<UInt8>) -> [UInt8]? {
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
            case 0x2B: result.append(0x20)
            default: result.append(byte)
            }
        }
        return result
    }

    /// The value of a hexadecimal digit; nil for any other byte.
    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
