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

    private static let keyHeader = "Idempotency-Key"
    private static let actorHeader = "Wallet-Actor"

    /// The operation asked for, decoded whole. Throws 415 and 400 (every mistake that could be found at once, those of
    /// `destination` among them), and 422 for a sum above every range.
    func operation(_ destination: Destination, headers: RequestHeaders, body: [UInt8]) throws(Problem) -> Operation {
        guard let kind = destination.endpoint.operationKind else {
            throw Problem(.internalError, "This route takes no operation.")
        }
        try RequestDecoder.checkType(of: body, headers)
        var reader = BodyReader(body, errors: destination.errors(with: headers))
        var parts = OperationParts(kind)
        reader.document(mayBeEmpty: kind == .complete || kind == .revert || kind == .reverse) {
            (reader) throws(JSONError) in try parts.read(&reader)
        }
        parts.check(&reader, isWhole: reader.isComplete)
        let asset = asset(of: kind, parts, &reader)
        let key = RequestDecoder.key(parts.reference, headers, &reader)
        let expected = kind == .openWallet ? nil : RequestDecoder.expectedVersion(headers, &reader)
        let actor = RequestDecoder.actor(headers, isRequired: kind.isAdministrative, &reader)
        try reader.check()
        // A route has its path's ids elsewhere than an operation of a batch.
        let isAboutPath = kind != .openWallet && kind != .transfer
        let frame = OperationFrame(
            walletID: isAboutPath ? destination.walletID : WalletID(parts.walletID ?? newID()),
            transferID: destination.transferID, newID: parts.transferID, asset: asset, key: key,
            expectedVersion: expected, actor: actor)
        return try operation(kind, parts, frame)
    }

    /// Throws 415 for a body that is not said to be JSON: before everything else that may be wrong with the request.
    static func checkType(of body: [UInt8], _ headers: RequestHeaders) throws(Problem) {
        if body.isEmpty { return }
        guard let type = headers.contentType, HeaderValue.isJSON(type) else {
            throw Problem(.unsupportedMediaType, "The content type must be application/json.")
        }
    }

    /// What a new wallet is to hold; its initial balance must fit.
    func asset(of kind: OperationKind, _ parts: OperationParts, _ reader: inout BodyReader) -> Asset {
        guard kind == .openWallet else { return defaultAsset }
        var asset = defaultAsset
        if let code = parts.assetCode {
            if let known = assets[code] {
                asset = known
            } else {
                reader.refuse("asset", .unknownAsset, "The asset is not known here.")
            }
        }
        if let balance = parts.amount, balance.writtenDecimals > asset.scale, reader.errors.isEmpty {
            reader.refuse("initial_balance", .amountPrecision, "\(asset.code) has \(asset.scale) decimals.")
        }
        return asset
    }

    // MARK: - Headers

    /// The key out of the body or the header; both must agree.
    static func key(
        _ reference: String?, _ headers: RequestHeaders, _ reader: inout BodyReader
    ) -> IdempotencyKey? {
        guard let header = headers.idempotencyKey else { return reference.map { IdempotencyKey(reference: $0) } }
        guard let told = HeaderValue.idempotencyKey(header) else {
            reader.refuse(
                keyHeader, .malformed,
                "The Idempotency-Key must have 1 to 255 printable ASCII characters, plain or as a quoted string.")
            return nil
        }
        if let reference, !reference.utf8.elementsEqual(told.utf8) {
            reader.refuse(
                Member.referenceID.name, .conflict, "The reference_id and the Idempotency-Key header differ.")
            return nil
        }
        return IdempotencyKey(reference: told)
    }

    /// Who asks.
    static func actor(_ headers: RequestHeaders, isRequired: Bool, _ reader: inout BodyReader) -> String? {
        var errors: [FieldError] = []
        let actor = actor(headers, isRequired: isRequired, &errors)
        for error in errors { reader.refuse(error.field, error.code, error.message) }
        return actor
    }

    /// Who asks. Administrative routes must know it.
    static func actor(_ headers: RequestHeaders, isRequired: Bool, _ errors: inout [FieldError]) -> String? {
        guard let header = headers.actor else {
            if isRequired {
                errors.append(FieldError(actorHeader, .required, "The header Wallet-Actor must say who asks."))
            }
            return nil
        }
        if let actor = HeaderValue.actor(header) { return actor }
        errors.append(
            FieldError(actorHeader, .malformed, "Wallet-Actor must have 1 to 255 printable ASCII characters."))
        return nil
    }

    private static func expectedVersion(_ headers: RequestHeaders, _ reader: inout BodyReader) -> Int64? {
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
