import Ledger

/// The ledger a second time, as a bookkeeper would do it: accounts in a general journal of signed legs, with the
/// asset's outside account on the other side of everything. It knows neither balances after entries nor `decide`:
/// what a wallet shows is read off its accounts.
struct Auditor {
    enum Account: Hashable {
        /// Money a client may take now.
        case free(WalletID)
        /// Money set aside for a pending credit.
        case reserved(WalletID)
        /// Money that a pending debit announces; no asset of anybody yet.
        case announced(WalletID)
        /// Everybody else, by asset.
        case outside(String)
        /// The other side of announcements, by asset.
        case promised(String)
    }

    enum Stage: Equatable {
        case pending(Direction, Int128, expiresAt: Timestamp?)
        case settled, failed
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
    }

    private(set) var accounts: [Account: Int128] = [:]
    private(set) var held: [WalletID: Held] = [:]
    private var stages: [Name: Stage] = [:]
    /// The content each key and each client-chosen transfer id was used with.
    private var keys: [Name: UInt128?] = [:]
    private var creations: [Name: UInt128?] = [:]

    private mutating func move(_ sum: Int128, from source: Account, to target: Account) {
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
        guard let wallet = held[id] else { return .refused("walletNotFound", recorded: false) }
        let time = now < wallet.time ? wallet.time : now
        let answer: Expectation
        if case .transfer(let order) = operation.command {
            if operation.key == nil, let hash = operation.contentHash,
                case .some(.some(hash)) = creations[Name(wallet: id, id: order.id.uuid.bits)]
            {
                return .replayed
            }
            answer = create(order, operation, wallet, at: time)
        } else {
            answer = resolve(operation, wallet, at: time)
        }
        remember(operation, answer)
        return answer
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

    private mutating func create(
        _ order: TransferOrder, _ operation: Operation, _ wallet: Held, at time: Timestamp
    ) -> Expectation {
        let id = operation.walletID
        let (outside, promised) = (Account.outside(wallet.asset.code), Account.promised(wallet.asset.code))
        if order.amount.writtenDecimals > wallet.asset.scale { return .refused("amountPrecision", recorded: false) }
        var expiresAt: Timestamp?
        switch order.expiry {
        case .never: break
        case .at(let moment): expiresAt = moment
        case .after(let seconds):
            expiresAt = Timestamp(microseconds: time.microseconds + seconds * 1_000_000)
        }
        if let expiresAt, expiresAt <= time { return .refused("expiryInPast", recorded: false) }
        let name = Name(wallet: id, id: order.id.uuid.bits)
        if stages[name] != nil { return refuse("transferExists", operation) }
        if let flaw = stale(operation, wallet) { return flaw }
        let sum = Self.minor(order.amount, wallet.asset)
        if order.direction == .credit, has(.free(id)) < sum {
            guard operation.key != nil else { return .refused("insufficientFunds", recorded: false) }
            stages[name] = .failed
            creations[name] = .some(operation.contentHash)
            grow(id, at: time)
            return .refused("insufficientFunds", recorded: true)
        }
        switch (order.direction, order.settlesAtOnce) {
        case (.debit, true): move(sum, from: outside, to: .free(id))
        case (.credit, true): move(sum, from: .free(id), to: outside)
        case (.debit, false): move(sum, from: promised, to: .announced(id))
        case (.credit, false): move(sum, from: .free(id), to: .reserved(id))
        }
        stages[name] = order.settlesAtOnce ? .settled : .pending(order.direction, sum, expiresAt: expiresAt)
        creations[name] = .some(operation.contentHash)
        grow(id, at: time)
        return .applied
    }

    private mutating func resolve(_ operation: Operation, _ wallet: Held, at time: Timestamp) -> Expectation {
        let id = operation.walletID
        guard let transfer = operation.command.transferID else { return .refused("none", recorded: false) }
        var asked: Int128?
        if case .complete(_, .some(let amount)) = operation.command {
            if amount.writtenDecimals > wallet.asset.scale { return .refused("amountPrecision", recorded: false) }
            asked = Self.minor(amount, wallet.asset)
        }
        let name = Name(wallet: id, id: transfer.uuid.bits)
        guard let stage = stages[name] else { return refuse("transferNotFound", operation) }
        guard case .pending(let direction, let sum, let expiresAt) = stage else {
            return refuse("transferNotPending", operation)
        }
        let isOver = expiresAt.map { $0 <= time } ?? false
        if case .expire = operation.command, !isOver { return refuse("transferNotPending", operation) }
        if isOver {
            settle(0, of: sum, direction, id, wallet.asset)
            stages[name] = .failed
            grow(id, at: time)
            if case .expire = operation.command { return .applied }
            return refuse("transferNotPending", operation)
        }
        if let flaw = stale(operation, wallet) { return flaw }
        switch operation.command {
        case .complete:
            if let asked, asked > sum { return refuse("amountExceedsPending", operation) }
            settle(asked ?? sum, of: sum, direction, id, wallet.asset)
            stages[name] = .settled
        case .open, .transfer, .revert, .expire:
            settle(0, of: sum, direction, id, wallet.asset)
            stages[name] = .failed
        }
        grow(id, at: time)
        return .applied
    }

    /// Ends a pending transfer of `whole`: `part` is settled, the rest goes back to where it came from.
    private mutating func settle(
        _ part: Int128, of whole: Int128, _ direction: Direction, _ id: WalletID, _ asset: Asset
    ) {
        switch direction {
        case .debit:
            move(whole, from: .announced(id), to: .promised(asset.code))
            move(part, from: .outside(asset.code), to: .free(id))
        case .credit:
            move(part, from: .reserved(id), to: .outside(asset.code))
            move(whole - part, from: .reserved(id), to: .free(id))
        }
    }

    private mutating func grow(_ id: WalletID, at time: Timestamp) {
        held[id]?.entries += 1
        held[id]?.time = time
    }

    private func stale(_ operation: Operation, _ wallet: Held) -> Expectation? {
        guard let version = operation.expectedVersion, version != wallet.entries else { return nil }
        return refuse("versionMismatch", operation)
    }

    private func refuse(_ name: String, _ operation: Operation) -> Expectation {
        .refused(name, recorded: operation.key != nil)
    }

    /// Minor units by powers of ten; the workload's sums are small.
    private static func minor(_ amount: DecimalAmount, _ asset: Asset) -> Int128 {
        (amount.decimals..<max(asset.scale, amount.decimals)).reduce(amount.unscaled) { sum, _ in sum * 10 }
    }
}
