import Ledger

/// The ledger a second time, as a bookkeeper would do it: accounts in a general journal of signed legs, with the
/// asset's outside accounts on the other side of what no wallet gives or gets. It knows neither balances after entries
/// nor `decide`: what a wallet shows is read off its accounts.
struct Auditor {
    enum Account: Hashable {
        /// Money a client may take now; below zero as far as the overdraft limit reaches.
        case free(WalletID)
        /// Money set aside for a pending credit.
        case reserved(WalletID)
        /// Money that a pending debit announces; no asset of anybody yet.
        case announced(WalletID)
        /// Everybody else, by asset.
        case outside(String)
        /// Where adjustments come from and go to, by asset.
        case system(String)
        /// The other side of announcements, by asset.
        case promised(String)
    }

    /// What a pending transfer will do.
    struct Plan: Equatable {
        let direction: Direction
        let sum: Int128
        var expiresAt: Timestamp?
        let isAdjustment: Bool
    }

    enum Stage: Equatable {
        case pending(Plan)
        /// `left` can still be given back, unless it is nothing that may be.
        case settled(Direction, left: Int128, isReversible: Bool)
        case failed
    }

    /// What the auditor says must be answered.
    enum Expectation: Equatable {
        case applied
        case refused(String, recorded: Bool)
        case replayed

        /// The answer without its details.
        var name: String {
            switch self {
            case .applied: "applied"
            case .refused(let name, _): name
            case .replayed: "replayed"
            }
        }
    }

    struct Name: Hashable {
        let wallet: WalletID
        let id: UInt128
    }

    struct Held {
        let asset: Asset
        var time: Timestamp
        var entries: Int64
        var status = WalletStatus.active
        var limit: Int128 = 0
    }

    private(set) var accounts: [Account: Int128] = [:]
    var held: [WalletID: Held] = [:]
    var stages: [Name: Stage] = [:]
    /// The other wallet of a transfer.
    var partners: [Name: WalletID] = [:]
    /// The content each key and each client-chosen transfer id was used with.
    private var keys: [Name: UInt128?] = [:]
    var creations: [Name: UInt128?] = [:]

    mutating func move(_ sum: Int128, from source: Account, to target: Account) {
        accounts[source, default: 0] -= sum
        accounts[target, default: 0] += sum
    }

    func has(_ account: Account) -> Int128 { accounts[account] ?? 0 }

    /// The sum over every account of an asset; zero, or money came from nowhere.
    func imbalance() -> Int128 { accounts.values.reduce(0, +) }

    /// Books the operation and says what must be answered.
    mutating func expect(_ operation: Operation, at now: Timestamp) -> Expectation {
        let id = operation.walletID
        if let key = operation.key, let content = keys[Name(wallet: id, id: key.digest)] {
            return content == operation.contentHash ? .replayed : .refused("idempotencyKeyReused", recorded: false)
        }
        if case .open(let opening) = operation.command { return open(opening, operation, at: now) }
        if operation.key == nil, let hash = operation.contentHash, let new = operation.command.newTransfer?.id,
            case .some(.some(hash)) = creations[Name(wallet: id, id: new.uuid.bits)]
        {
            return .replayed
        }
        let partner = partner(of: operation)
        if partner == id { return .refused("selfTransfer", recorded: false) }
        guard let wallet = held[id] else { return .refused("walletNotFound", recorded: false) }
        var time = now < wallet.time ? wallet.time : now
        if let other = partner.flatMap({ held[$0] }), other.time > time { time = other.time }
        let answer: Expectation
        switch operation.command {
        case .open: answer = .replayed
        case .transfer(let order): answer = create(order, operation, wallet, at: time)
        case .complete, .revert, .expire: answer = resolve(operation, wallet, partner, at: time)
        case .extend(_, let expiry): answer = extend(expiry, operation, wallet, partner, at: time)
        case .reverse(let order): answer = reverse(order, operation, wallet, partner, at: time)
        case .amend(let amendment): answer = amend(amendment, operation, wallet, at: time)
        }
        remember(operation, answer)
        return answer
    }

    private func partner(of operation: Operation) -> WalletID? {
        if case .transfer(let order) = operation.command { return order.counterparty }
        return operation.command.transferID.flatMap {
            partners[Name(wallet: operation.walletID, id: $0.uuid.bits)]
        }
    }

    private mutating func remember(_ operation: Operation, _ answer: Expectation) {
        guard let key = operation.key else { return }
        switch answer {
        case .applied, .refused(_, recorded: true):
            keys[Name(wallet: operation.walletID, id: key.digest)] = .some(operation.contentHash)
        case .refused, .replayed: break
        }
    }

    private mutating func open(_ opening: Opening, _ operation: Operation, at now: Timestamp) -> Expectation {
        if let start = opening.initialBalance, start.writtenDecimals > opening.asset.scale {
            return .refused("amountPrecision", recorded: false)
        }
        guard held[operation.walletID] == nil else { return .refused("walletExists", recorded: false) }
        held[operation.walletID] = Held(asset: opening.asset, time: now, entries: 1)
        let start = opening.initialBalance.map { Self.minor($0, opening.asset) } ?? 0
        move(start, from: .outside(opening.asset.code), to: .free(operation.walletID))
        remember(operation, .applied)
        return .applied
    }

    mutating func grow(_ ids: WalletID?..., at time: Timestamp) {
        for case .some(let id) in ids {
            held[id]?.entries += 1
            held[id]?.time = time
        }
    }

    func refuse(_ name: String, _ operation: Operation) -> Expectation {
        .refused(name, recorded: operation.key != nil)
    }

    /// The wallets that do not take part, and the version that is not the one named.
    func stopped(_ operation: Operation, _ wallet: Held, _ partner: WalletID?) -> Expectation? {
        if wallet.status != .active { return refuse("walletNotActive", operation) }
        if let other = partner.flatMap({ held[$0] }), other.status != .active {
            return refuse("counterpartyNotActive", operation)
        }
        return nil
    }

    func stale(_ operation: Operation, _ wallet: Held) -> Expectation? {
        guard let version = operation.expectedVersion, version != wallet.entries else { return nil }
        return refuse("versionMismatch", operation)
    }

    /// What a wallet can pay, its overdraft included.
    func purse(_ id: WalletID) -> Int128 { has(.free(id)) + (held[id]?.limit ?? 0) }

    /// The moment an expiry means.
    static func moment(_ expiry: TransferOrder.Expiry, from time: Timestamp) -> Timestamp? {
        switch expiry {
        case .never: nil
        case .at(let moment): moment
        case .after(let seconds): Timestamp(microseconds: time.microseconds + seconds * 1_000_000)
        }
    }

    /// Minor units by powers of ten; the workload's sums are small.
    static func minor(_ amount: DecimalAmount, _ asset: Asset) -> Int128 {
        (amount.decimals..<max(asset.scale, amount.decimals)).reduce(amount.unscaled) { sum, _ in sum * 10 }
    }
}
