import Ledger

/// How refusals are kept for repeats: a code and one detail in text.
enum StoredRefusals {
    /// The code and detail to store; nil for refusals that no repeat has to find.
    static func encode(_ refusal: Refusal) -> (code: String, detail: String)? {
        switch refusal {
        case .walletNotActive(let status): ("wallet_not_active", status.word)
        case .transferNotFound: ("transfer_not_found", "")
        case .transferExists: ("transfer_exists", "")
        case .transferNotPending(let standing):
            ("transfer_not_pending", String(standing.transfer?.reversedAmount ?? 0))
        case .versionMismatch(let current): ("version_mismatch", String(current))
        case .amountExceedsPending(let pending, _): ("amount_exceeds_pending", String(pending))
        case .amountOutOfRange: ("amount_out_of_range", "")
        case .counterpartyNotActive(let status): ("counterparty_not_active", status.word)
        case .transferNotCompleted(let status): ("transfer_not_completed", status.word)
        case .transferNotReversible: ("transfer_not_reversible", "")
        case .expiryNotLater: ("expiry_not_later", "")
        case .amountExceedsReversible(let reversible, _): ("amount_exceeds_reversible", String(reversible))
        case .walletNotEmpty: ("wallet_not_empty", "")
        case .overdraftInUse(let used, _): ("overdraft_in_use", String(used))
        // A refused credit is a journal row; this is a wallet that cannot pay in any other way.
        case .insufficientFunds(let available, let amount, _): ("insufficient_funds", "\(available) \(amount)")
        case .idempotencyKeyReused, .selfTransfer, .walletNotFound, .counterpartyNotFound, .assetMismatch,
            .walletExists, .amountPrecision, .expiryInPast:
            nil
        }
    }

    /// The refusal that was stored. `transfer` is the transfer it named; once that is resolved, only reversals of it
    /// change it. `asset` is that of the sums it names.
    static func decode(code: String, detail: String, transfer: Receipt?, asset: Asset?) throws -> Refusal {
        switch code {
        case "wallet_not_active":
            if let status = WalletStatus(word: detail) { return .walletNotActive(status) }
        case "transfer_not_found": return .transferNotFound
        case "transfer_exists": return .transferExists
        case "transfer_not_pending":
            if let transfer {
                var then = transfer.transfer
                then?.reversedAmount = Int128(detail) ?? 0
                return .transferNotPending(Receipt(wallet: transfer.wallet, transfer: then))
            }
        case "version_mismatch":
            if let version = Int64(detail) { return .versionMismatch(current: version) }
        case "amount_exceeds_pending":
            if let asset, let pending = Int128(detail) {
                return .amountExceedsPending(pending: pending, asset: asset)
            }
        case "amount_out_of_range": return .amountOutOfRange
        case "transfer_not_reversible": return .transferNotReversible
        case "expiry_not_later": return .expiryNotLater
        case "wallet_not_empty": return .walletNotEmpty
        case "counterparty_not_active":
            if let status = WalletStatus(word: detail) { return .counterpartyNotActive(status) }
        case "transfer_not_completed":
            if let status = TransferStatus(word: detail) { return .transferNotCompleted(status) }
        case "amount_exceeds_reversible":
            if let asset, let sum = Int128(detail) {
                return .amountExceedsReversible(reversible: sum, asset: asset)
            }
        case "overdraft_in_use":
            if let asset, let used = Int128(detail) { return .overdraftInUse(used: used, asset: asset) }
        case "insufficient_funds":
            let sums = detail.split(separator: " ").compactMap { Int128($0) }
            if let asset, sums.count == 2 {
                return .insufficientFunds(available: sums[0], amount: sums[1], asset: asset)
            }
        default: break
        }
        throw LedgerStoreError.inconsistent("the stored refusal \(code) with detail \(detail)")
    }
}
