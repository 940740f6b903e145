import Ledger
import Testing

/// Random operations over a few wallets of three assets: new ones, repeats, reuses, races for the last money.
private struct Workload {
    var numbers: SeededNumbers
    let wallets: [(id: WalletID, asset: Asset)]
    private var sent: [Operation] = []
    private var lastTransfer = 0
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
        let command = try command(chosen.asset)
        var key = numbers.once(in: 2) ? key(Int(truncatingIfNeeded: lastContent)) : nil
        // Expiries are the ledger's own operations: nobody sends them with a key.
        if case .expire = command { key = nil }
        let operation = Operation(
            walletID: chosen.id, command: command, key: key,
            contentHash: isRepeatable(command, key) ? lastContent : nil, expectedVersion: version)
        if sent.count < 5_000 { sent.append(operation) } else { sent[numbers.below(sent.count)] = operation }
        return operation
    }

    /// Without a key only a creation with the client's own id can be recognised again.
    private func isRepeatable(_ command: Command, _ key: IdempotencyKey?) -> Bool {
        guard key == nil else { return true }
        guard case .transfer(let order) = command else { return false }
        return order.hasClientID
    }

    /// An operation sent before: as it was, or its key with other content.
    private mutating func repeated() -> Operation {
        let old = sent[numbers.below(sent.count)]
        guard old.key != nil, numbers.once(in: 4) else { return old }
        lastContent += 1
        return Operation(
            walletID: old.walletID, command: old.command, key: old.key, contentHash: lastContent,
            expectedVersion: old.expectedVersion)
    }

    private mutating func command(_ asset: Asset) throws -> Command {
        switch numbers.below(20) {
        case 0..<10: return try creation(asset)
        case 10..<15:
            return .complete(recentTransfer(), amount: numbers.once(in: 3) ? try amount(asset) : nil)
        case 15..<18: return .revert(recentTransfer(), note: numbers.once(in: 2) ? "note" : nil)
        case 18: return .expire(recentTransfer())
        default:
            return .open(
                Opening(
                    ownerID: nil, asset: asset, initialBalance: try amount(asset), metadata: nil, hasClientID: false))
        }
    }

    private mutating func creation(_ asset: Asset) throws -> Command {
        lastTransfer += 1
        let isNew = !numbers.once(in: 20)
        let expiries: [TransferOrder.Expiry] = [
            .never, .never, .after(seconds: Int64(numbers.below(20))),
            .at(second(clock + Int64(numbers.below(20)) - 1)),
        ]
        return .transfer(
            TransferOrder(
                id: isNew ? transfer(lastTransfer) : recentTransfer(), hasClientID: numbers.once(in: 2),
                direction: numbers.below(9) < 4 ? .debit : .credit, amount: try amount(asset),
                settlesAtOnce: numbers.once(in: 3), expiry: expiries[numbers.below(4)], description: nil,
                metadata: numbers.once(in: 9) ? "{}" : nil))
    }

    private mutating func recentTransfer() -> TransferID {
        transfer(max(0, lastTransfer - numbers.below(60)))
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
            var flaw = disagreement(auditor, book, about: operation.walletID)
            if flaw == nil, number % 10 == 0, auditor.imbalance() != 0 { flaw = "both sides do not sum to zero" }
            if let flaw {
                Issue.record("seed \(numbers.seed), operation \(number): \(operation): \(flaw)")
                return
            }
        }
        for name in [
            "applied", "replayed", "idempotencyKeyReused", "walletExists", "amountPrecision", "expiryInPast",
            "transferNotFound", "transferExists", "transferNotPending", "versionMismatch", "amountExceedsPending",
            "insufficientFunds",
        ] {
            #expect(told[name, default: 0] > 10, "\(name) was hardly met: \(told)")
        }
        try expectBalancedBooks(auditor, book, workload)
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
        if wallet.available != free || free < 0 { return "available \(wallet.available), not \(free)" }
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
            #expect(journal.count > 1_000, "too quiet: \(journal.count)")
        }
        #expect(auditor.imbalance() == 0)
        for (code, sum) in held { #expect(auditor.has(.outside(code)) == -sum) }
    }
}
