import Ledger

/// The query part of a target: each name once, values decoded.
struct QueryParameters: Sendable {
    private var values: [(name: String, value: String)] = []

    /// Decodes a query. Names outside `allowed`, repeated names, malformed escapes and bytes that are no UTF-8 are
    /// errors.
    init(_ query: String?, allowed: [String], errors: inout [FieldError]) {
        guard let query, !query.isEmpty else { return }
        for pair in query.utf8.split(separator: 0x26, omittingEmptySubsequences: true) {
            let parts = pair.split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
            guard let rawName = parts.first, let name = QueryParameters.text(rawName) else {
                errors.append(FieldError("query", .malformed, "The query holds a name that is not UTF-8."))
                continue
            }
            guard allowed.contains(name) else {
                errors.append(FieldError(name, .unknown, "The query parameter \"\(name)\" is not known here."))
                continue
            }
            guard self[name] == nil else {
                errors.append(FieldError(name, .duplicate, "The query parameter \"\(name)\" appears twice."))
                continue
            }
            guard let value = QueryParameters.text(parts.count == 2 ? parts[1] : rawName[rawName.endIndex...]) else {
                errors.append(FieldError(name, .malformed, "The value of \"\(name)\" is not UTF-8."))
                continue
            }
            values.append((name, value))
        }
    }

    /// The value of a parameter; nil when it was not sent.
    subscript(name: String) -> String? {
        values.first { $0.name == name }?.value
    }

    /// How many items a page is to have.
    func limit(_ errors: inout [FieldError]) -> Int {
        guard let text = self["limit"] else { return 50 }
        if let number = HeaderValue.version(text[...]), (1...200).contains(number) { return Int(number) }
        errors.append(FieldError("limit", .outOfRange, "The limit is a whole number from 1 to 200."))
        return 50
    }

    /// An RFC 3339 date-time; nil when it was not sent.
    func moment(_ name: String, _ errors: inout [FieldError]) -> Timestamp? {
        guard let text = self[name] else { return nil }
        if let moment = Timestamp(text: text) { return moment }
        errors.append(FieldError(name, .malformed, "\"\(name)\" is not an RFC 3339 date-time."))
        return nil
    }

    private static func text(_ bytes: some Collection<UInt8>) -> String? {
        PercentEncoding.decode(bytes).flatMap { String(validating: $0, as: UTF8.self) }
    }
}

/// How fresh a read must be.
struct Freshness: Equatable, Sendable {
    /// Read the write side at once.
    var isStrong = false
    /// Wait for the projection to reach this version of the wallet, then read the write side.
    var minVersion: Int64?

    static let parameters = ["consistency", "min_version"]

    init(isStrong: Bool = false, minVersion: Int64? = nil) {
        self.isStrong = isStrong
        self.minVersion = minVersion
    }

    init(_ query: QueryParameters, _ headers: RequestHeaders, errors: inout [FieldError]) {
        switch query["consistency"] {
        case nil, "eventual": break
        case "strong": isStrong = true
        default:
            errors.append(FieldError("consistency", .outOfRange, "Consistency is \"strong\" or \"eventual\"."))
        }
        let asked = query["min_version"].map { version($0, "min_version", &errors) }
        let told = headers.minVersion.map { version($0, "Wallet-Min-Version", &errors) }
        if let asked, let told, let asked, let told, asked != told {
            errors.append(
                FieldError("min_version", .conflict, "The parameter and the header Wallet-Min-Version differ."))
        }
        minVersion = (asked ?? told) ?? nil
    }

    private func version(_ text: String, _ field: String, _ errors: inout [FieldError]) -> Int64? {
        if let version = HeaderValue.version(text[...]) { return version }
        errors.append(FieldError(field, .malformed, "A version is a whole number from 0 on."))
        return nil
    }
}

/// What a list of transfers is asked for.
struct TransferListing: Sendable {
    var filter: TransferFilter
    /// The `created_version` of the last item of the page before.
    var before: Int64?
    var limit: Int

    static let parameters = ["status", "direction", "from", "to", "cursor", "limit"] + Freshness.parameters

    init(_ query: QueryParameters, wallet: WalletID, errors: inout [FieldError]) throws(Problem) {
        filter = TransferFilter()
        if let text = query["status"] {
            filter.status = TransferStatus(word: text)
            if filter.status == nil {
                errors.append(FieldError("status", .outOfRange, "A status is pending, completed or failed."))
            }
        }
        if let text = query["direction"] {
            filter.direction = Direction(word: text)
            if filter.direction == nil {
                errors.append(FieldError("direction", .outOfRange, "A direction is debit or credit."))
            }
        }
        filter.from = query.moment("from", &errors)
        filter.to = query.moment("to", &errors)
        limit = query.limit(&errors)
        guard errors.isEmpty, let text = query["cursor"] else { return }
        guard let cursor = Cursor(text: text), cursor.wallet == wallet else {
            throw Problem(.invalidCursor, "The cursor is not one of this list.")
        }
        guard filter.isEmpty || filter == cursor.filter else {
            throw Problem(.invalidCursor, "The cursor belongs to a list with other filters.")
        }
        filter = cursor.filter
        before = cursor.before
    }
}
