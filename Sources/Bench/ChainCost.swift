import Glibc
public import Ledger
import Runtime

/// Hashes entries one after the other as the ledger does, the first after 32 zero bytes; returns the last hash.
public typealias ChainWalk = @Sendable ([Entry]) -> [UInt8]

/// What the chain of hashes through the journal costs: the CPU time of hashing entries like those of the run, made by
/// the ledger's own rules. The service always hashes, so this is measured beside it and not by leaving it out.
struct ChainCost: Sendable {
    /// CPU time for one entry, microseconds.
    let microseconds: Double
    /// Entries that an operation of the run makes.
    let entriesPerOperation: Double

    private static let operations = 10_000
    private static let passes = 5

    /// Measures on the calling thread; some tenths of a second.
    init(_ options: BenchOptions, _ walk: ChainWalk) {
        let entries = Self.entries(operations: Self.operations, options)
        var times: [Double] = []
        for _ in 0..<Self.passes {
            let start = Self.processorNow()
            let hash = walk(entries)
            times.append(Double(Self.processorNow() - start) / 1000 / Double(entries.count))
            precondition(!hash.isEmpty, "nothing was hashed")
        }
        microseconds = times.sorted()[Self.passes / 2]
        entriesPerOperation = Double(entries.count) / Double(Self.operations)
    }

    /// The journal entries of pending transfers and their completion, with keys and other wallets as in the run. So
    /// many that they do not stay in the nearest caches, as in the service.
    static func entries(operations: Int, _ options: BenchOptions) -> [Entry] {
        let ids = UUIDv7Generator()
        guard let asset = Asset(code: options.asset, scale: 2),
            let balance = try? DecimalAmount(text: "1000000000.00".utf8),
            let amount = try? DecimalAmount(text: "1.23".utf8)
        else { return [] }
        let opening = Opening(
            ownerID: nil, asset: asset, initialBalance: balance, metadata: nil, hasClientID: true)
        var entries: [Entry] = []
        var wallets: [Wallet] = []
        func apply(_ command: Command, to wallet: Wallet?, _ situation: Situation, key: String?) -> [Posting] {
            let operation = Operation(
                walletID: wallet?.id ?? WalletID(ids.next()), command: command,
                key: key.map { IdempotencyKey(reference: $0, digest: ids.nextBits()) }, contentHash: ids.nextBits(),
                expectedVersion: nil)
            let now = Timestamp(microseconds: Int64(ids.nextBits() >> 80) * 1000)
            return decide(operation, in: situation, at: now).postings
        }
        let nothing = Situation(wallet: nil, transfer: nil, priorByKey: nil, priorByID: nil)
        for _ in 0..<2 { wallets += apply(.open(opening), to: nil, nothing, key: nil).map(\.wallet) }
        var made: [Posting] = []
        for number in 0..<operations where wallets.count == 2 {
            let other = options.transfers ? wallets[1] : nil
            let postings: [Posting]
            if number % 2 == 0 {
                let id = TransferID(ids.next())
                let order = TransferOrder(
                    id: id, hasClientID: true, direction: .credit, amount: amount, settlesAtOnce: false,
                    expiry: .never, description: nil, metadata: nil, counterparty: other?.id)
                let situation = Situation(
                    wallet: wallets[0], transfer: nil, priorByKey: nil, priorByID: nil, counterparty: other)
                postings = apply(
                    .transfer(order), to: wallets[0], situation, key: options.keys ? "bench:\(id.text)" : nil)
                made = postings
            } else {
                guard let id = made.first?.transfer?.id else { return [] }
                let situation = Situation(
                    wallet: wallets[0], transfer: made[0].receipt, priorByKey: nil, priorByID: nil,
                    counterparty: other, counterpartyTransfer: made.count > 1 ? made[1].receipt : nil)
                postings = apply(.complete(id, amount: nil), to: wallets[0], situation, key: nil)
            }
            for (index, posting) in postings.enumerated() { wallets[index] = posting.wallet }
            entries += postings.map(\.entry)
        }
        return entries
    }

    /// CPU time of the calling thread, nanoseconds: other programs on the machine do not add to it.
    private static func processorNow() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}
