import Ledger
import Testing

/// Random operations over a few wallets of three assets: new ones, repeats, reuses, races for the last money.
private struct Workload {
    var numbers: SeededNumbers
    let wallets: [(id: WalletID, asset: Asset)]
    private var sent: [Operation] = []
    private var lastTransfer = 0
    private var recent: [WalletID: [TransferID]] = [:]
    private var lastContent: UInt128 = 1
    private(set) var clock: Int64 = 0

    init(numbers: SeededNumbers, assets: [Asset], count: Int) {
        self.numbers = numbers
        wallets = (0..<count).map { (wallet($0), assets[$0 % assets.count]) }
    }

    /// The clock of whoever takes the operation: processes are up to two seconds apart.
    mutating func now() -> Timestamp {
        if numbers.once(in: 3) { clock += 1 }
        return second(clock - Int64(numbers.below(3)))
    }

    mutating func next(_ book: Book) throws -> Operation {
        if !sent.isEmpty, numbers.once(in: 8) { return repeated() }
        let chosen = wallets[numbers.below(wallets.count)]
        lastContent += 1
        var version: Int64?
        if numbers.once(in: 10) { version = (book.wallets[chosen.id]?.version ?? 1) - Int64(numbers.below(2)) }
        let command = try command(chosen.id, chosen.asset)
        var key = numbers.once(in: 2) ? key(Int(truncatingIfNeeded: lastContent)) : nil
        // Expiries are the ledger's own operations: nobody sends them with a key.
        if case .expire = command { key = nil }
        let operation = Operation(
            walletID: chosen.id, command: command, key: key,
            contentHash: isRepeatable(command, key) ? lastContent : nil, expectedVersion: version,
            actor: numbers.once(in: 4) ? "actor" : nil)
        if sent.count < 5_000 { sent.append(operation) } else { sent[numbers.below(sent.count)] = operation }
        return operation
    }

    /// Without a key only a creation with the client's own id can be recognised again.
    private func isRepeatable(_ command: Command, _ key: IdempotencyKey?) -> Bool {
        guard key == nil else { return true }
        return command.newTransfer?.hasClientID ?? false
    }

    /// An operation sent before: as it was, or its key with other content.
    private mutating func repeated() -> Operation {
        let old = sent[numbers.below(sent.count)]
        guard old.key != nil, numbers.once(in: 4) else { return old }
        lastContent += 1
        return Operation(
            walletID: old.walletID, command: old.command, key: old.key, contentHash: lastContent,
            expectedVersion: old.expectedVersion, actor: old.actor)
    }

    private mutating func command(_ id: WalletID, _ asset: Asset) throws -> Command {
        switch numbers.below(40) {
        case 0..<20: return try creation(id, asset)
        case 20..<27:
            return .complete(recentTransfer(of: id), amount: numbers.once(in: 3) ? try amount(asset) : nil)
        case 27..<30: return .revert(recentTransfer(of: id), note: numbers.once(in: 2) ? "note" : nil)
        case 30: return .expire(recentTransfer(of: id))
        case 31: return .extend(recentTransfer(of: id), expiry: expiry())
        case 32..<37: return try reversal(id, asset)
        case 37..<39: return try amendment(asset)
        default:
            return .open(
                Opening(
                    ownerID: nil, asset: asset, initialBalance: try amount(asset), metadata: nil, hasClientID: false))
        }
    }

    private mutating func creation(_ id: WalletID, _ asset: Asset) throws -> Command {
        lastTransfer += 1
        let isNew = !numbers.once(in: 20)
        var counterparty: WalletID?
        if numbers.once(in: 2) {
            // Every third wallet has the same asset; some do not exist.
            let near = wallets.filter { $0.asset == asset && $0.id != id }
            counterparty =
                numbers.once(in: 10)
                ? wallet(numbers.below(wallets.count + 3)) : near[numbers.below(near.count)].id
        }
        remember(transfer(lastTransfer), in: id, counterparty)
        let isAdjustment = counterparty == nil && numbers.once(in: 10)
        return .transfer(
            TransferOrder(
                id: isNew ? transfer(lastTransfer) : recentTransfer(of: id), hasClientID: numbers.once(in: 2),
                direction: numbers.below(9) < 4 ? .debit : .credit, amount: try amount(asset),
                settlesAtOnce: numbers.once(in: 3), expiry: expiry(), description: nil,
                metadata: numbers.once(in: 9) ? "{}" : nil, counterparty: counterparty,
                purpose: isAdjustment ? .adjustment : .transfer, note: isAdjustment ? "set right" : nil))
    }

    private mutating func expiry() -> TransferOrder.Expiry {
        let expiries: [TransferOrder.Expiry] = [
            .never, .never, .after(seconds: Int64(numbers.below(20))),
            .at(second(clock + Int64(numbers.below(20)) - 1)),
        ]
        return expiries[numbers.below(4)]
    }

    private mutating func reversal(_ id: WalletID, _ asset: Asset) throws -> Command {
        let original = recentTransfer(of: id)
        lastTransfer += 1
        remember(transfer(lastTransfer), in: id)
        return .reverse(
            ReversalOrder(
                original: original, id: numbers.once(in: 20) ? recentTransfer(of: id) : transfer(lastTransfer),
                hasClientID: numbers.once(in: 2), amount: numbers.once(in: 2) ? try amount(asset) : nil,
                description: nil, metadata: numbers.once(in: 9) ? "{}" : nil, note: "wrong"))
    }

    private mutating func amendment(_ asset: Asset) throws -> Command {
        let statuses: [WalletStatus?] = [.active, .active, .active, .active, .frozen, .closed, nil]
        let metadata: [Amendment.MetadataChange?] = [.set("{\"n\":\(lastContent)}"), .remove, nil]
        let limits = [try sum("0"), try amount(asset), nil, nil]
        return .amend(
            Amendment(
                status: statuses[numbers.below(statuses.count)], metadata: metadata[numbers.below(3)],
                overdraftLimit: limits[numbers.below(4)], note: "because"))
    }

    /// Mostly one that the wallet has; sometimes anybody's.
    private mutating func recentTransfer(of id: WalletID) -> TransferID {
        guard let mine = recent[id], !numbers.once(in: 6) else {
            return transfer(max(0, lastTransfer - numbers.below(60)))
        }
        return mine[numbers.below(mine.count)]
    }

    private mutating func remember(_ id: TransferID, in wallets: WalletID?...) {
        for case .some(let wallet) in wallets {
            recent[wallet, default: []].append(id)
            if recent[wallet, default: []].count > 20 { recent[wallet]?.removeFirst() }
        }
    }

    private mutating func amount(_ asset: Asset) throws -> DecimalAmount {
        let whole = 1 + numbers.below(numbers.once(in: 5) ? 500 : 20)
        let decimals = numbers.once(in: 40) ? asset.scale + 1 : numbers.below(min(asset.scale, 3) + 1)
        guard decimals > 0 else { return try sum("\(whole)") }
        return try sum("\(whole)." + (0..<decimals).map { _ in String(numbers.below(10)) }.joined())
    }
}

@Suite("Random workload")
struct WorkloadTests {
    private static let operations = 100_000

    @Test("an independent auditor agrees with every step")
    func audited() throws {
        let numbers = SeededNumbers.announced("random workload")
        let assets = try ["EUR", "POINTS", "KWD"].map(TestAssets.asset)
        var workload = Workload(numbers: numbers, assets: assets, count: 9)
        var book = Book()
        var auditor = Auditor()
        var told: [String: Int] = [:]
        var answers: [Book.KeyName: (operation: Operation, outcome: Prior.Outcome)] = [:]
        for number in 0..<Self.operations {
            let operation = try workload.next(book)
            let now = workload.now()
            let expected = auditor.expect(operation, at: now)
            let decision = book.submit(operation, at: now)
            let actual = Self.summary(decision.verdict)
            told[actual.name, default: 0] += 1
            guard actual == expected else {
                Issue.record(
                    "seed \(numbers.seed), operation \(number): \(operation) gave \(actual), expected \(expected)")
                return
            }
            if let key = operation.key, let outcome = Self.outcome(decision.verdict) {
                answers[.init(wallet: operation.walletID, digest: key.digest)] = (operation, outcome)
            }
            let touched = [operation.walletID] + decision.postings.map(\.wallet.id)
            var flaw = touched.lazy.compactMap { disagreement(auditor, book, about: $0) }.first
            if flaw == nil, number % 10 == 0, auditor.imbalance() != 0 { flaw = "both sides do not sum to zero" }
            if let flaw {
                Issue.record("seed \(numbers.seed), operation \(number): \(operation): \(flaw)")
                return
            }
        }
        for name in [
            "applied", "replayed", "idempotencyKeyReused", "walletExists", "amountPrecision", "expiryInPast",
            "transferNotFound", "transferExists", "transferNotPending", "versionMismatch", "amountExceedsPending",
            "insufficientFunds", "selfTransfer", "counterpartyNotFound", "assetMismatch", "walletNotActive",
            "counterpartyNotActive", "transferNotCompleted", "transferNotReversible", "expiryNotLater",
            "amountExceedsReversible", "walletNotEmpty", "overdraftInUse",
        ] {
            #expect(told[name, default: 0] > 10, "\(name) was hardly met: \(told)")
        }
        try expectBalancedBooks(auditor, book, workload)
        #expect(answers.count > 10_000)
        for (operation, outcome) in answers.values {
            guard case .replayed(let repeated) = book.submit(operation, at: workload.now()).verdict,
                repeated.shown == outcome.shown
            else {
                Issue.record("seed \(numbers.seed): the repeat of \(operation) is not \(outcome)")
                return
            }
        }
    }

    /// What a repeat must get; nil when the first answer binds nobody.
    private static func outcome(_ verdict: Decision.Verdict) -> Prior.Outcome? {
        switch verdict {
        case .applied(let receipt): .applied(receipt)
        case .refused(let refusal, recorded: true): .refused(refusal)
        case .refused, .replayed: nil
        }
    }

    private static func summary(_ verdict: Decision.Verdict) -> Auditor.Expectation {
        switch verdict {
        case .applied: .applied
        case .refused(let refusal, let recorded): .refused(refusal.name, recorded: recorded)
        case .replayed: .replayed
        }
    }

    /// Where the wallet and the auditor's accounts differ; nil when they agree.
    private func disagreement(_ auditor: Auditor, _ book: Book, about id: WalletID) -> String? {
        guard let wallet = book.wallets[id], let held = auditor.held[id] else {
            return book.wallets[id] == nil && auditor.held[id] == nil ? nil : "one of them has no wallet"
        }
        let (free, reserved) = (auditor.has(.free(id)), auditor.has(.reserved(id)))
        if wallet.balance != free + reserved { return "balance \(wallet.balance), not \(free + reserved)" }
        if wallet.available != free + held.limit || wallet.available < 0 { return "available \(wallet.available)" }
        if wallet.overdraftLimit != held.limit || wallet.status != held.status { return "limit or status" }
        if wallet.pendingCredit != reserved || reserved < 0 { return "reserved \(wallet.pendingCredit)" }
        let announced = auditor.has(.announced(id))
        if wallet.pendingDebit != announced || announced < 0 { return "announced \(wallet.pendingDebit)" }
        if wallet.version != held.entries || wallet.version != Int64(book.journals[id]?.count ?? 0) { return "version" }
        if wallet.updatedAt != held.time { return "time" }
        return nil
    }

    /// At the end: versions without gaps, each key once, and what is outside is what the wallets hold.
    private func expectBalancedBooks(_ auditor: Auditor, _ book: Book, _ workload: Workload) throws {
        var held: [String: Int128] = [:]
        var lines: [String: [Ledger.Account: Int128]] = [:]
        for (id, asset) in workload.wallets {
            let wallet = try #require(book.wallets[id])
            let journal = try #require(book.journals[id])
            held[asset.code, default: 0] += wallet.balance
            #expect(journal.map(\.version) == Array(1...Int64(journal.count)))
            let keys = journal.compactMap { $0.key?.digest }
            #expect(Set(keys).count == keys.count)
            let created = journal.filter(\.kind.createsTransfer).compactMap(\.transferID)
            #expect(Set(created).count == created.count)
            let resolved = journal.filter { [.completed, .reverted, .expired].contains($0.kind) }
                .compactMap(\.transferID)
            #expect(Set(resolved).count == resolved.count && Set(resolved).isSubset(of: created))
            #expect(journal.count > 1_000 || wallet.status == .closed, "too quiet: \(journal.count)")
            var walk = JournalWalk(walletID: id)
            let first = Dictionary(
                journal.compactMap { entry in entry.transferID.map { ($0, entry) } },
                uniquingKeysWith: { old, _ in old })
            #expect(!journal.contains { !walk.step($0, creation: $0.transferID.flatMap { first[$0] }).isEmpty })
            let booked = journal.map { $0.lines(creation: $0.transferID.flatMap { first[$0] }) }
            for line in booked.joined() { lines[asset.code, default: [:]][line.account, default: 0] += line.amount }
            #expect(booked.allSatisfy { $0.reduce(0) { $0 + $1.amount } == 0 })
        }
        #expect(auditor.imbalance() == 0)
        for (code, sum) in held {
            #expect(auditor.has(.outside(code)) + auditor.has(.system(code)) == -sum)
            #expect(lines[code]?[.world] == auditor.has(.outside(code)))
            #expect(lines[code]?[.system] == auditor.has(.system(code)) && auditor.has(.system(code)) != 0)
        }
    }
}
