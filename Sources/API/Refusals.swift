import Ledger
import LedgerStore

extension Problem {
    /// The answer to a refused command. The one place where refusals become codes.
    init(_ refusal: Refusal, of command: Command) {
        switch refusal {
        case .idempotencyKeyReused:
            self.init(.idempotencyKeyReused, "The idempotency key was used for a request with other content.")
        case .walletNotFound:
            self.init(.walletNotFound, "There is no wallet with this id.")
        case .selfTransfer:
            self.init(.selfTransfer, "The wallet cannot transfer to itself.")
        case .counterpartyNotFound:
            self.init(.counterpartyNotFound, "There is no other wallet with the id that the transfer names.")
        case .assetMismatch:
            self.init(.assetMismatch, "The two wallets hold different assets.")
        case .walletExists:
            self.init(.walletExists, "A wallet with this id exists with other content.")
        case .amountPrecision(let scale):
            let field =
                switch command {
                case .open: "initial_balance"
                case .amend: "overdraft_limit"
                case .transfer, .complete, .revert, .expire, .extend, .reverse: "amount"
                }
            self.init(field, .amountPrecision, "The wallet's asset has \(scale) decimals.")
        case .walletNotActive(let status):
            self.init(.walletNotActive, "The wallet is \(status.word).")
            members = .walletStatus(status)
        case .counterpartyNotActive(let status):
            self.init(.counterpartyNotActive, "The other wallet is \(status.word).")
            members = .walletStatus(status)
        case .transferNotFound:
            self.init(.transferNotFound, "The wallet has no transfer with this id.")
        case .transferExists:
            self.init(.transferExists, "A transfer with this id exists with other content.")
        case .transferNotPending(let standing):
            self.init(notPending: standing)
        case .transferNotCompleted(let status):
            self.init(.transferNotCompleted, "The transfer is \(status.word).")
        case .transferNotReversible:
            self.init(.transferNotReversible, "Reversals and adjustments cannot be reversed.")
        case .expiryNotLater:
            self.init(.expiryNotLater, "The transfer has no expiry, or none before the one asked for.")
        case .expiryInPast:
            self.init("expires_at", .notInFuture, "The expiry must lie in the future.")
        case .versionMismatch(let current):
            self.init(.versionMismatch, "The wallet is at version \(current).")
            members = .currentVersion(current)
        case .amountExceedsPending(let pending, let asset):
            let sum = Money.text(pending, scale: asset.scale)
            self.init(.amountExceedsPending, "The pending amount is \(sum) \(asset.code).")
            members = .pendingAmount(pending, asset: asset)
        case .amountExceedsReversible(let reversible, let asset):
            let sum = Money.text(reversible, scale: asset.scale)
            self.init(.amountExceedsReversible, "\(sum) \(asset.code) of the transfer can still be reversed.")
            members = .reversibleAmount(reversible, asset: asset)
        case .walletNotEmpty:
            self.init(.walletNotEmpty, "Only a wallet without balance and pending transfers can be closed.")
        case .overdraftInUse(let used, let asset):
            let sum = Money.text(used, scale: asset.scale)
            self.init(.overdraftInUse, "\(sum) \(asset.code) of the overdraft are in use.")
            members = .overdraftUsed(used, asset: asset)
        case .amountOutOfRange:
            self.init(.amountOutOfRange, "The amount, or a balance it leads to, is out of range.")
        case .insufficientFunds(let available, let amount, let asset):
            let sum = Money.text(available, scale: asset.scale)
            self.init(.insufficientFunds, "\(sum) \(asset.code) are available.")
            members = .funds(available: available, amount: amount, asset: asset)
        }
    }

    /// A transfer that is pending, or not there, was to be resolved or made by the atomic batch that is refused.
    private init(notPending standing: Receipt) {
        if let status = standing.transfer?.status, status != .pending {
            self.init(.transferNotPending, "The transfer is \(status.word) already.")
        } else {
            self.init(.transferNotPending, "An earlier operation of the batch resolves the transfer.")
        }
        if standing.transfer != nil { members = .transfer(standing) }
    }

    /// The answer to a failure of the storage.
    init(_ failure: LedgerStoreError) {
        switch failure {
        case .overloaded(let seconds):
            self.init(.overloaded, "Too many requests are waiting. Nothing was recorded.")
            retryAfter = max(1, seconds)
        case .unavailable:
            self.init(.storageUnavailable, "The storage does not answer. Nothing was recorded.")
            retryAfter = 1
        case .outcomeUnknown:
            self.init(.outcomeUnknown, "It is not known whether this was recorded. Repeat it with the same key.")
            retryAfter = 1
        case .inconsistent(let cause):
            self.init(.internalError, "The request could not be answered.")
            self.cause = cause
        }
    }
}
