import JSON
import Ledger
import Requests

/// Turns the body and headers of a write into an operation: everything that can be refused without knowing the wallet.
struct RequestDecoder: Sendable {
    /// The assets that may be named.
    let assets: AssetTable
    /// What a wallet holds when its creation names no asset.
    let defaultAsset: Asset
    /// Makes a new UUIDv7.
    let newID: @Sendable () -> RawUUID

    /// The longest `expires_in`: ten years of 365 days, in seconds.
    static let longestExpiry: Int64 = 315_360_000
    private static let referenceField = "reference_id"
    private static let keyHeader = "Idempotency-Key"

    /// The operation asked for, decoded whole. Throws 415 and 400 (every mistake that could be found at once), and 422
    /// for a sum above every range.
    func operation(_ destination: Destination, headers: RequestHeaders, body: [UInt8]) throws(Problem) -> Operation {
        let mayBeEmpty = destination.endpoint == .complete || destination.endpoint == .revert
        if body.isEmpty {
            guard mayBeEmpty else { throw Problem("", .required, "A JSON object is expected in the body.") }
        } else {
            guard let type = headers.contentType, HeaderValue.isJSON(type) else {
                throw Problem(.unsupportedMediaType, "The content type must be application/json.")
            }
        }
        var reader = BodyReader(body)
        for name in headers.repeated { reader.refuse(name, .duplicate, "The header \(name) appears twice.") }
        switch destination.endpoint {
        case .openWallet: return try openWallet(&reader, headers)
        case .debit: return try transfer(.debit, destination.walletID, &reader, headers)
        case .credit: return try transfer(.credit, destination.walletID, &reader, headers)
        case .complete: return try complete(destination, &reader, headers, isEmpty: body.isEmpty)
        case .revert: return try revert(destination, &reader, headers, isEmpty: body.isEmpty)
        case .wallet, .transfers, .transfer, .health, .ready:
            throw Problem(.internalError, "This route takes no body.")
        }
    }

    // MARK: - One function a route

    private func openWallet(_ reader: inout BodyReader, _ headers: RequestHeaders) throws(Problem) -> Operation {
        var id: RawUUID?
        var ownerID: String?
        var assetCode: String?
        var balance: DecimalAmount?
        var metadata: String?
        var reference: String?
        reader.members { (name, reader) throws(JSONError) in
            switch name {
            case "wallet_id": id = try reader.uuid(name)
            case "owner_id": ownerID = try reader.line(name, limit: 255)
            case "asset": assetCode = try reader.word(name)
            case "initial_balance": balance = try reader.amount(name, mayBeZero: true)
            case "metadata": metadata = try reader.metadata(name)
            case RequestDecoder.referenceField: reference = try reader.line(name, limit: 255)
            default: return false
            }
            return true
        }
        var asset = defaultAsset
        if let code = assetCode {
            if let known = assets[code] {
                asset = known
            } else {
                reader.refuse("asset", .unknownAsset, "The asset is not known here.")
            }
        }
        if let balance, balance.writtenDecimals > asset.scale, reader.errors.isEmpty {
            reader.refuse("initial_balance", .amountPrecision, "\(asset.code) has \(asset.scale) decimals.")
        }
        let key = key(reference, headers, &reader)
        try reader.check()
        let request = OpeningRequest(
            walletID: id.map { WalletID($0) }, ownerID: ownerID, asset: asset, writtenAsset: assetCode,
            initialBalance: balance, metadata: metadata, key: key)
        return request.operation(newID: newID)
    }

    private func transfer(
        _ direction: Direction, _ wallet: WalletID, _ reader: inout BodyReader, _ headers: RequestHeaders
    ) throws(Problem) -> Operation {
        var parts = TransferParts()
        reader.members { (name, reader) throws(JSONError) in
            switch name {
            case "amount": (parts.amount, parts.hasAmount) = (try reader.amount(name, mayBeZero: false), true)
            case "transfer_id": parts.id = try reader.uuid(name)
            case RequestDecoder.referenceField: parts.reference = try reader.line(name, limit: 255)
            case "status": parts.read(status: try reader.word(name), &reader)
            case "expires_at": parts.expiresAt = try reader.moment(name)
            case "expires_in":
                parts.expiresIn = try reader.integer(name, in: 1...RequestDecoder.longestExpiry)
            case "metadata": parts.metadata = try reader.metadata(name)
            case "description": parts.description = try reader.text(name, limit: 1024)
            default: return false
            }
            return true
        }
        parts.check(&reader)
        let key = key(parts.reference, headers, &reader)
        let expected = expectedVersion(headers, &reader)
        try reader.check()
        guard let amount = parts.amount else { throw Problem("amount", .required, "The amount is missing.") }
        var hash: UInt128?
        if key != nil || parts.id != nil {
            var content = ContentHash(direction == .debit ? .debit : .credit)
            content.add(wallet: wallet)
            if let id = parts.id { content.add(transfer: TransferID(id)) }
            content.add(amount: amount)
            content.add(settlesAtOnce: parts.settlesAtOnce)
            content.add(expiry: parts.expiry)
            content.add(description: parts.description)
            content.add(metadata: parts.metadata)
            hash = content.value
        }
        let order = TransferOrder(
            id: TransferID(parts.id ?? newID()), hasClientID: parts.id != nil, direction: direction, amount: amount,
            settlesAtOnce: parts.settlesAtOnce, expiry: parts.expiry, description: parts.description,
            metadata: parts.metadata)
        return Operation(
            walletID: wallet, command: .transfer(order), key: key, contentHash: hash, expectedVersion: expected)
    }

    private func complete(
        _ destination: Destination, _ reader: inout BodyReader, _ headers: RequestHeaders, isEmpty: Bool
    ) throws(Problem) -> Operation {
        var amount: DecimalAmount?
        var reference: String?
        if !isEmpty {
            reader.members { (name, reader) throws(JSONError) in
                switch name {
                case "amount": amount = try reader.amount(name, mayBeZero: false)
                case RequestDecoder.referenceField: reference = try reader.line(name, limit: 255)
                default: return false
                }
                return true
            }
        }
        let key = key(reference, headers, &reader)
        let expected = expectedVersion(headers, &reader)
        try reader.check()
        var hash: UInt128?
        if key != nil {
            var content = ContentHash(.complete)
            content.add(wallet: destination.walletID)
            content.add(transfer: destination.transferID)
            content.add(amount: amount)
            hash = content.value
        }
        return Operation(
            walletID: destination.walletID, command: .complete(destination.transferID, amount: amount), key: key,
            contentHash: hash, expectedVersion: expected)
    }

    private func revert(
        _ destination: Destination, _ reader: inout BodyReader, _ headers: RequestHeaders, isEmpty: Bool
    ) throws(Problem) -> Operation {
        var note: String?
        var reference: String?
        if !isEmpty {
            reader.members { (name, reader) throws(JSONError) in
                switch name {
                case "reason": note = try reader.text(name, limit: 1024)
                case RequestDecoder.referenceField: reference = try reader.line(name, limit: 255)
                default: return false
                }
                return true
            }
        }
        let key = key(reference, headers, &reader)
        let expected = expectedVersion(headers, &reader)
        try reader.check()
        var hash: UInt128?
        if key != nil {
            var content = ContentHash(.revert)
            content.add(wallet: destination.walletID)
            content.add(transfer: destination.transferID)
            content.add(note: note)
            hash = content.value
        }
        return Operation(
            walletID: destination.walletID, command: .revert(destination.transferID, note: note), key: key,
            contentHash: hash, expectedVersion: expected)
    }

    // MARK: - Headers

    /// The key out of the body or the header; both must agree.
    private func key(_ reference: String?, _ headers: RequestHeaders, _ reader: inout BodyReader) -> IdempotencyKey? {
        guard let header = headers.idempotencyKey else { return reference.map { IdempotencyKey(reference: $0) } }
        guard let told = HeaderValue.idempotencyKey(header) else {
            reader.refuse(
                RequestDecoder.keyHeader, .malformed,
                "The Idempotency-Key must have 1 to 255 printable ASCII characters, plain or as a quoted string.")
            return nil
        }
        if let reference, !reference.utf8.elementsEqual(told.utf8) {
            reader.refuse(
                RequestDecoder.referenceField, .conflict, "The reference_id and the Idempotency-Key header differ.")
            return nil
        }
        return IdempotencyKey(reference: told)
    }

    private func expectedVersion(_ headers: RequestHeaders, _ reader: inout BodyReader) -> Int64? {
        guard let text = headers.ifMatch else { return nil }
        switch HeaderValue.ifMatch(text) {
        case .any: return nil
        case .version(let version): return version
        case nil:
            reader.refuse("If-Match", .malformed, "If-Match must be one strong version tag such as \"5\", or *.")
            return nil
        }
    }
}

/// The members of a new transfer while they are being read.
private struct TransferParts {
    var id: RawUUID?
    var amount: DecimalAmount?
    var hasAmount = false
    var reference: String?
    var settlesAtOnce = false
    var expiresAt: Timestamp?
    var expiresIn: Int64?
    var metadata: String?
    var description: String?

    var expiry: TransferOrder.Expiry {
        if let expiresAt { return .at(expiresAt) }
        return expiresIn.map { .after(seconds: $0) } ?? .never
    }

    mutating func read(status: String, _ reader: inout BodyReader) {
        switch status {
        case "pending": settlesAtOnce = false
        case "completed": settlesAtOnce = true
        default: reader.refuse("status", .outOfRange, "A new transfer is \"pending\" or \"completed\".")
        }
    }

    /// The rules that concern more than one member.
    func check(_ reader: inout BodyReader) {
        if reader.isComplete, !hasAmount, !reader.errors.contains(where: { $0.field == "amount" }) {
            reader.refuse("amount", .required, "The amount is missing.")
        }
        if expiresAt != nil, expiresIn != nil {
            reader.refuse("expires_in", .conflict, "Only one of expires_at and expires_in may be given.")
        }
        if settlesAtOnce, expiresAt != nil {
            reader.refuse("expires_at", .notAllowed, "A transfer that settles at once cannot expire.")
        }
        if settlesAtOnce, expiresIn != nil {
            reader.refuse("expires_in", .notAllowed, "A transfer that settles at once cannot expire.")
        }
    }
}
