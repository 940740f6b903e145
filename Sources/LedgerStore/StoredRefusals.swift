import Ledger

/// How refusals are kept for repeats: a code and one detail in text.
enum StoredRefusals {
    /// The code and detail to store; nil for refusals that no repeat has to find.
    static func encode(_ refusal: Refusal) -> (code: String, detail: String)? {
        switch refusal {
        case .walletNotActive(let status): ("wallet_not_active", status.word)
        case .transferNotFound: ("transfer_not_found", "")
        case .transferExists: ("transfer_exists", "")
        case .transferNotPending: ("transfer_not_pending", "")
        case .versionMismatch(let current): ("version_mismatch", String(current))
        case .amountExceedsPending(let pending, _): ("amount_exceeds_pending", String(pending))
        case .amountOutOfRange: ("amount_out_of_range", "")
        // A refused credit is a journal row.
        case .insufficientFunds: nil
        case .idempotencyKeyReused, .walletNotFound, .walletExists, .amountPrecision, .expiryInPast: nil
        }
    }

    /// The refusal that was stored. `transfer` is the transfer it named, which no longer changes once it is resolved.
    static func decode(code: String, detail: String, transfer: Receipt?, asset: Asset) throws -> Refusal {
        switch code {
        case "wallet_not_active":
            if let status = WalletStatus(word: detail) { return .walletNotActive(status) }
        case "transfer_not_found": return .transferNotFound
        case "transfer_exists": return .transferExists
        case "transfer_not_pending":
            if let transfer { return .transferNotPending(transfer) }
        case "version_mismatch":
            if let version = Int64(detail) { return .versionMismatch(current: version) }
        case "amount_exceeds_pending":
            if let pending = Int128(detail) { return .amountExceedsPending(pending: pending, asset: asset) }
        case "amount_out_of_range": return .amountOutOfRange
        default: break
        }
        throw LedgerStoreError.inconsistent("the stored refusal \(code) with detail \(detail)")
    }
}
