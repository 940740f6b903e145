/// The rules for one operation at one moment, one extension for each kind of command.
struct Rules {
    /// Which of a transfer's two wallets an entry is for.
    enum Side {
        /// The operation's own wallet: its entry carries the key, so that a repeat finds it.
        case own
        /// The counterparty.
        case other
    }

    let operation: Operation
    /// When the entries are made. Clocks of several processes differ: within a wallet time never runs backwards, and
    /// the two entries of one operation have the same.
    let time: Timestamp

    init(operation: Operation, in situation: Situation, at now: Timestamp) {
        self.operation = operation
        var time = now
        if let wallet = situation.wallet { time = max(time, wallet.updatedAt) }
        if let counterparty = situation.counterparty { time = max(time, counterparty.updatedAt) }
        self.time = time
    }

    private init(operation: Operation, time: Timestamp) {
        self.operation = operation
        self.time = time
    }

    /// What applying the operation appends; at least one posting.
    func postings(in situation: Situation) throws(Refusal) -> [Posting] {
        if case .open(let opening) = operation.command { return [try open(opening, over: situation.wallet)] }
        if case .transfer(let order) = operation.command, order.counterparty == operation.walletID {
            throw .selfTransfer
        }
        guard let wallet = situation.wallet else { throw .walletNotFound }
        switch operation.command {
        case .open:
            throw .walletExists
        case .transfer(let order):
            return try create(order, in: wallet, situation)
        case .complete(_, let amount):
            return try complete(amount, in: wallet, situation)
        case .revert(_, let note):
            return try revert(note, in: wallet, situation)
        case .expire:
            return try expire(in: situation)
        case .extend(_, let expiry):
            return try extend(to: expiry, in: wallet, situation)
        case .reverse(let order):
            return try reverse(order, in: wallet, situation)
        case .amend(let amendment):
            return [try amend(amendment, of: wallet)]
        }
    }

    /// The same moment for work that nobody asked for: no key, no content, no precondition, no actor.
    func unasked(_ command: Command) -> Rules {
        Rules(
            operation: Operation(
                walletID: operation.walletID, command: command, key: nil, contentHash: nil, expectedVersion: nil),
            time: time)
    }

    /// The next entry of a wallet, which it takes to its new version.
    func entry(
        _ kind: EntryKind, on side: Side, amount: Int128, of transfer: Transfer? = nil,
        leaving wallet: inout Wallet, note: String? = nil, metadata: String? = nil
    ) -> Entry {
        advance(&wallet)
        return Entry(
            walletID: wallet.id, version: wallet.version, kind: kind, transferID: transfer?.id,
            direction: transfer?.direction, amount: amount, balance: wallet.balance,
            pendingDebit: wallet.pendingDebit, pendingCredit: wallet.pendingCredit,
            overdraftLimit: wallet.overdraftLimit, counterparty: transfer?.counterparty,
            key: side == .own ? operation.key : nil, contentHash: side == .own ? operation.contentHash : nil,
            note: note, description: nil, metadata: metadata, expiresAt: transfer?.expiresAt,
            occurredAt: wallet.updatedAt, status: wallet.status, purpose: nil, related: nil, actor: operation.actor)
    }

    /// Takes a wallet to the version of its next entry.
    func advance(_ wallet: inout Wallet) {
        wallet.updatedAt = time
        wallet.version += 1
    }

    /// The moment that an expiry means; nil for never.
    func moment(of expiry: TransferOrder.Expiry) throws(Refusal) -> Timestamp? {
        switch expiry {
        case .never:
            return nil
        case .at(let moment):
            guard moment > time else { throw .expiryInPast }
            return moment
        case .after(let seconds):
            guard seconds > 0, let moment = time.adding(seconds: seconds) else { throw .expiryInPast }
            return moment
        }
    }

    /// Both wallets must take part: the operation's own, and the other one where there is one.
    func checkActive(_ wallet: Wallet, _ counterparty: Wallet?) throws(Refusal) {
        guard wallet.status == .active else { throw .walletNotActive(wallet.status) }
        if let counterparty, counterparty.status != .active { throw .counterpartyNotActive(counterparty.status) }
    }

    func checkVersion(_ wallet: Wallet) throws(Refusal) {
        guard let expected = operation.expectedVersion, expected != wallet.version else { return }
        throw .versionMismatch(current: wallet.version)
    }

    /// The other wallet and its side of `transfer`, which both have since they were made in one step.
    func otherSide(
        of transfer: Transfer, in situation: Situation
    ) throws(Refusal) -> (wallet: Wallet, transfer: Transfer)? {
        guard let id = transfer.counterparty else { return nil }
        guard let wallet = situation.counterparty, wallet.id == id,
            let mirrored = situation.counterpartyTransfer?.transfer, mirrored.id == transfer.id,
            mirrored.status == transfer.status
        else { throw .counterpartyNotFound }
        return (wallet, mirrored)
    }
}
