import JSON
import Ledger
import LedgerStore

/// The stable words of every answer that is not a success; `specification/errors.md` lists the same set.
public enum ProblemCode: String, CaseIterable, Sendable {
    // 4xx: the request
    case malformedRequest = "malformed_request"
    case invalidRequest = "invalid_request"
    case invalidCursor = "invalid_cursor"
    case routeNotFound = "route_not_found"
    case walletNotFound = "wallet_not_found"
    case counterpartyNotFound = "counterparty_not_found"
    case transferNotFound = "transfer_not_found"
    case balanceNotFound = "balance_not_found"
    case methodNotAllowed = "method_not_allowed"
    case requestTimeout = "request_timeout"
    case walletExists = "wallet_exists"
    case transferExists = "transfer_exists"
    case transferNotPending = "transfer_not_pending"
    case transferNotCompleted = "transfer_not_completed"
    case transferNotReversible = "transfer_not_reversible"
    case walletNotActive = "wallet_not_active"
    case counterpartyNotActive = "counterparty_not_active"
    case transferAmbiguous = "transfer_ambiguous"
    case walletNotEmpty = "wallet_not_empty"
    case overdraftInUse = "overdraft_in_use"
    case versionMismatch = "version_mismatch"
    case payloadTooLarge = "payload_too_large"
    case targetTooLong = "target_too_long"
    case unsupportedMediaType = "unsupported_media_type"
    case expectationFailed = "expectation_failed"
    case idempotencyKeyReused = "idempotency_key_reused"
    case insufficientFunds = "insufficient_funds"
    case amountExceedsPending = "amount_exceeds_pending"
    case amountExceedsReversible = "amount_exceeds_reversible"
    case amountOutOfRange = "amount_out_of_range"
    case selfTransfer = "self_transfer"
    case assetMismatch = "asset_mismatch"
    case expiryNotLater = "expiry_not_later"
    case headersTooLarge = "headers_too_large"
    // 5xx: the service
    case internalError = "internal_error"
    case notImplemented = "not_implemented"
    case overloaded = "overloaded"
    case storageUnavailable = "storage_unavailable"
    case outcomeUnknown = "outcome_unknown"
    case notReady = "not_ready"
    case httpVersionNotSupported = "http_version_not_supported"

    /// The HTTP status that goes with the code.
    public var status: Int {
        switch self {
        case .malformedRequest, .invalidRequest, .invalidCursor: 400
        case .routeNotFound, .walletNotFound, .counterpartyNotFound, .transferNotFound, .balanceNotFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .walletExists, .transferExists, .transferNotPending, .walletNotActive: 409
        case .transferNotCompleted, .transferNotReversible, .counterpartyNotActive: 409
        case .walletNotEmpty, .overdraftInUse, .transferAmbiguous: 409
        case .versionMismatch: 412
        case .payloadTooLarge: 413
        case .targetTooLong: 414
        case .unsupportedMediaType: 415
        case .expectationFailed: 417
        case .idempotencyKeyReused, .insufficientFunds, .amountExceedsPending, .amountOutOfRange: 422
        case .amountExceedsReversible, .selfTransfer, .assetMismatch, .expiryNotLater: 422
        case .headersTooLarge: 431
        case .internalError: 500
        case .notImplemented: 501
        case .overloaded, .storageUnavailable, .outcomeUnknown, .notReady: 503
        case .httpVersionNotSupported: 505
        }
    }

    /// A short sentence that is the same for every answer with this code.
    public var title: String {
        switch self {
        case .malformedRequest: "The request is not valid HTTP"
        case .invalidRequest: "The request is not valid"
        case .invalidCursor: "The cursor is not valid here"
        case .routeNotFound: "No such route"
        case .walletNotFound: "No such wallet"
        case .counterpartyNotFound: "No such other wallet"
        case .transferNotFound: "No such transfer"
        case .balanceNotFound: "The wallet was not there yet"
        case .methodNotAllowed: "The route does not know this method"
        case .requestTimeout: "The request came too slowly"
        case .walletExists: "The wallet exists already"
        case .transferExists: "The transfer exists already"
        case .transferNotPending: "The transfer is not pending"
        case .transferNotCompleted: "The transfer is not completed"
        case .transferNotReversible: "The transfer cannot be reversed"
        case .walletNotActive: "The wallet is not active"
        case .counterpartyNotActive: "The other wallet is not active"
        case .transferAmbiguous: "Several wallets have such a transfer"
        case .walletNotEmpty: "The wallet is not empty"
        case .overdraftInUse: "The overdraft is in use"
        case .versionMismatch: "The wallet has moved on"
        case .payloadTooLarge: "The body is too large"
        case .targetTooLong: "The request line is too long"
        case .unsupportedMediaType: "The content type is not supported"
        case .expectationFailed: "The expectation cannot be met"
        case .idempotencyKeyReused: "The idempotency key belongs to another request"
        case .insufficientFunds: "Not enough money is available"
        case .amountExceedsPending: "The amount is above the pending amount"
        case .amountExceedsReversible: "The amount is above what can be reversed"
        case .amountOutOfRange: "The amount is out of range"
        case .selfTransfer: "A transfer needs two wallets"
        case .assetMismatch: "The wallets hold different assets"
        case .expiryNotLater: "The expiry is not later than the present one"
        case .headersTooLarge: "The header fields are too large"
        case .internalError: "Something went wrong inside the service"
        case .notImplemented: "Not implemented"
        case .overloaded: "The service is busy"
        case .storageUnavailable: "The storage is not available"
        case .outcomeUnknown: "The outcome is not known"
        case .notReady: "The service is not ready"
        case .httpVersionNotSupported: "The HTTP version is not supported"
        }
    }

    /// The `type` member: names the kind of problem, as RFC 9457 wants it.
    var type: String { "urn:wallet:problem:\(rawValue)" }
}

/// What is wrong with one member, parameter or header of a request.
struct FieldError: Hashable, Sendable {
    /// The stable words of field errors.
    enum Code: String, CaseIterable, Sendable {
        case required
        case unknown
        case duplicate
        case wrongType = "wrong_type"
        case malformed
        case tooShort = "too_short"
        case tooLong = "too_long"
        case outOfRange = "out_of_range"
        case notPositive = "not_positive"
        case amountPrecision = "amount_precision"
        case unknownAsset = "unknown_asset"
        case conflict
        case notAllowed = "not_allowed"
        case notInFuture = "not_in_future"
    }

    /// The member (`metadata.tags[2]`), query parameter or header; empty for the whole body.
    let field: String
    let code: Code
    let message: String

    init(_ field: String, _ code: Code, _ message: String) {
        self.field = field
        self.code = code
        self.message = message
    }
}

/// A refusal on its way to the client: becomes `application/problem+json` (RFC 9457).
struct Problem: Error, Sendable {
    /// Members beyond the standard ones.
    enum Extension: Sendable {
        case none
        case funds(available: Int128, amount: Int128, asset: Asset)
        case pendingAmount(Int128, asset: Asset)
        case reversibleAmount(Int128, asset: Asset)
        case overdraftUsed(Int128, asset: Asset)
        case currentVersion(Int64)
        case walletStatus(WalletStatus)
        case transfer(Receipt)
        case notReady([String])
    }

    let code: ProblemCode
    let detail: String
    var errors: [FieldError] = []
    var members = Extension.none
    /// The place in an all-or-nothing batch of the operation that was refused.
    var index: Int?
    /// Seconds until a repeat may help; becomes `Retry-After`.
    var retryAfter: Int?
    /// The methods of the route; becomes `Allow`.
    var allow: String?
    /// For the log only.
    var cause: String?

    init(_ code: ProblemCode, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// A 400 that names what is wrong; there must be at least one error.
    init(invalid errors: [FieldError]) {
        code = .invalidRequest
        detail = errors.first?.message ?? ProblemCode.invalidRequest.title
        self.errors = errors
    }

    /// A 400 for one field.
    init(_ field: String, _ code: FieldError.Code, _ message: String) {
        self.init(invalid: [FieldError(field, code, message)])
    }
}

extension Problem {
    /// Any error: a problem as it is, everything else as a fault of the service.
    init(catching error: any Error) {
        switch error {
        case let problem as Problem:
            self = problem
        case let failure as LedgerStoreError:
            self.init(failure)
        default:
            self.init(.internalError, "The request could not be answered.")
            cause = "\(error)"
        }
    }

    /// The body.
    func body(correlationID: String) -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        write(to: &writer, correlationID: correlationID)
        return writer.finish()
    }

    /// Writes the body as a value.
    func write(to writer: inout JSONWriter, correlationID: String) {
        writer.beginObject()
        writer.member("type", code.type)
        writer.member("title", code.title)
        writer.member("status", code.status)
        writer.member("detail", detail)
        writer.member("code", code.rawValue)
        writer.member("correlation_id", correlationID)
        if let index { writer.member("index", index) }
        if !errors.isEmpty {
            writer.array("errors") { writer in
                for error in errors {
                    writer.beginObject()
                    writer.member("field", error.field)
                    writer.member("code", error.code.rawValue)
                    writer.member("message", error.message)
                    writer.endObject()
                }
            }
        }
        write(members, to: &writer)
        writer.endObject()
    }

    private func write(_ members: Extension, to writer: inout JSONWriter) {
        switch members {
        case .none: break
        case .funds(let available, let amount, let asset):
            writer.money("available", available, of: asset)
            writer.money("amount", amount, of: asset)
            writer.member("asset", asset.code)
        case .pendingAmount(let amount, let asset):
            writer.money("pending_amount", amount, of: asset)
            writer.member("asset", asset.code)
        case .reversibleAmount(let amount, let asset):
            writer.money("reversible_amount", amount, of: asset)
            writer.member("asset", asset.code)
        case .overdraftUsed(let amount, let asset):
            writer.money("overdraft_used", amount, of: asset)
            writer.member("asset", asset.code)
        case .currentVersion(let version): writer.member("current_version", version)
        case .walletStatus(let status): writer.member("wallet_status", status.word)
        case .transfer(let receipt):
            writer.name("transfer")
            writer.transfer(receipt)
        case .notReady(let names):
            writer.array("not_ready") { writer in
                for name in names { writer.string(name) }
            }
        }
    }
}
