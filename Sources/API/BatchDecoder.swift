import JSON
import Ledger
import Requests

/// A batch as it was asked for.
struct BatchRequest: Sendable {
    /// All or nothing, in one transaction.
    fileprivate(set) var isAtomic = false
    /// The key of the batch as a whole.
    fileprivate(set) var key: IdempotencyKey?
    /// How many operations it has.
    fileprivate(set) var count = 0
    /// Those that the ledger is to decide, in their order.
    fileprivate(set) var operations: [Operation] = []
    /// The others by their place, in their order, with what is wrong.
    fileprivate(set) var malformed: [(index: Int, problem: Problem)] = []

    /// The digest of the whole content: of each operation with its own key, and whether all or nothing.
    var contentHash: UInt128 {
        var content = ContentHash(.batch)
        content.add(settlesAtOnce: isAtomic)
        for operation in operations { content.add(item: operation) }
        return content.value
    }
}

/// The body of a batch: its own members and a list of operations, each read as its route would read it.
extension RequestDecoder {
    /// The most operations of a batch.
    static let mostOperations = 10_000
    /// The longest key of a batch: its operations get keys that end in their place.
    static let longestBatchKey = 250

    private static let batchWords = JSONWords(["atomic", "reference_id", "operations"])

    /// The batch asked for. Throws 415 and 400 for what is wrong with it as a whole; what is wrong with one operation
    /// is that operation's.
    func batch(_ destination: Destination, headers: RequestHeaders, body: [UInt8]) throws(Problem) -> BatchRequest {
        try RequestDecoder.checkType(of: body, headers)
        let errors = destination.errors(with: headers)
        let reading = try read(BatchReading(headers: headers, reference: nil), body, errors)
        // The keys of the operations come from that of the batch, which was told only behind them.
        guard reading.isReferenceLate, let reference = reading.reference else { return reading.batch }
        return try read(BatchReading(headers: headers, reference: reference), body, errors).batch
    }

    private func read(
        _ start: BatchReading, _ body: [UInt8], _ errors: [FieldError]
    ) throws(Problem) -> BatchReading {
        var reading = start
        var reader = BodyReader(batch: body, errors: errors)
        reading.actor = RequestDecoder.actor(reading.headers, isRequired: false, &reader)
        reader.document { (reader) throws(JSONError) in
            try reader.object(RequestDecoder.batchWords) { (index, reader) throws(JSONError) in
                switch index {
                case 0: reading.batch.isAtomic = try reader.boolean("atomic")
                case 1:
                    reading.reference = try reader.line("reference_id", limit: RequestDecoder.longestBatchKey)
                    reading.isReferenceLate = reading.hasOperations && start.reference == nil
                default: try readOperations(into: &reading, &reader)
                }
                return true
            }
        }
        if reader.isComplete, !reading.hasOperations {
            reader.refuse("operations", .required, "The operations are missing.")
        }
        reading.batch.key = RequestDecoder.key(reading.reference, reading.headers, &reader)
        if let key = reading.batch.key, key.reference.unicodeScalars.count > RequestDecoder.longestBatchKey {
            reader.refuse(
                "Idempotency-Key", .tooLong,
                "The key of a batch has at most \(RequestDecoder.longestBatchKey) characters.")
        }
        try reader.check()
        return reading
    }

    private func readOperations(into reading: inout BatchReading, _ reader: inout BodyReader) throws(JSONError) {
        reading.hasOperations = true
        let errorCount = reader.errors.count
        // What is wrong with the key is said once, when all has been read.
        var keyReader = BodyReader([])
        let key = RequestDecoder.key(reading.reference, reading.headers, &keyReader)
        var count = 0
        try reader.array { (reader) throws(JSONError) in
            defer { count += 1 }
            guard count < RequestDecoder.mostOperations else { return false }
            reader.item = count
            defer { reader.item = nil }
            var parts = OperationParts()
            let isWhole = try reader.attempt { (reader) throws(JSONError) in try parts.read(&reader) }
            parts.check(&reader, isWhole: isWhole)
            if parts.kind?.isAdministrative == true, reading.actor == nil {
                _ = RequestDecoder.actor(reading.headers, isRequired: true, &reader)
            }
            var asset = defaultAsset
            if let kind = parts.kind { asset = self.asset(of: kind, parts, &reader) }
            if let problem = reader.takeFindings(after: errorCount) {
                reading.batch.malformed.append((count, problem))
            } else if let kind = parts.kind {
                let itemKey =
                    parts.reference.map { IdempotencyKey(reference: $0) }
                    ?? key.map { IdempotencyKey(reference: "\($0.reference)#\(count)") }
                reading.batch.add(
                    self, kind, parts, at: count,
                    OperationFrame(
                        walletID: WalletID(parts.walletID ?? newID()),
                        transferID: TransferID(parts.transferID ?? RawUUID(bits: 0)),
                        newID: kind == .reverse ? parts.reversalID : parts.transferID, asset: asset, key: itemKey,
                        expectedVersion: nil, actor: reading.actor))
            }
            return true
        }
        reading.batch.count = count
        if count == 0 { reader.refuse("operations", .tooShort, "A batch has at least one operation.") }
        if count > RequestDecoder.mostOperations {
            reader.refuse(
                "operations", .tooLong, "A batch has at most \(RequestDecoder.mostOperations) operations.")
        }
    }
}

/// A batch while it is being read.
private struct BatchReading {
    let headers: RequestHeaders
    /// The `reference_id` of the batch: what an earlier reading found, then what this one finds.
    var reference: String?
    /// Whether it came after the operations that needed it.
    var isReferenceLate = false
    var hasOperations = false
    var actor: String?
    var batch = BatchRequest()

    init(headers: RequestHeaders, reference: String?) {
        self.headers = headers
        self.reference = reference
    }
}

extension BatchRequest {
    fileprivate mutating func add(
        _ decoder: RequestDecoder, _ kind: OperationKind, _ parts: OperationParts, at index: Int,
        _ frame: OperationFrame
    ) {
        do throws(Problem) {
            operations.append(try decoder.operation(kind, parts, frame))
        } catch {
            malformed.append((index, error))
        }
    }
}
