import Events
import Ledger
public import LedgerStore
public import Projections

/// One side from which wallets and transfers are read: the ledger or the projection.
struct ReadSide: Sendable {
    let walletByID: @Sendable (WalletID) async -> Result<Wallet?, Problem>
    let transferByID: @Sendable (TransferID, WalletID) async -> Result<Receipt?, Problem>
    let transfersByQuery: @Sendable (WalletID, TransferQuery) async -> Result<[Receipt], Problem>

    /// The wallet; nil when there is none.
    func wallet(_ id: WalletID) async throws -> Wallet? {
        try await walletByID(id).get()
    }

    /// The transfer; nil when the wallet has none with this id.
    func transfer(_ id: TransferID, _ wallet: WalletID) async throws -> Receipt? {
        try await transferByID(id, wallet).get()
    }

    /// The transfers, newest first; none for an unknown wallet.
    func transfers(_ wallet: WalletID, _ query: TransferQuery) async throws -> [Receipt] {
        try await transfersByQuery(wallet, query).get()
    }
}

extension ReadSide {
    init(_ reader: LedgerReader) {
        self.init(
            walletByID: { id in
                await outcome { try await reader.wallet(id) }
            },
            transferByID: { id, wallet in
                await outcome { try await reader.transfer(id, in: wallet) }
            },
            transfersByQuery: { wallet, query in
                await outcome { try await reader.transfers(in: wallet, query) }
            })
    }

    init(_ reader: ProjectionReader) {
        self.init(
            walletByID: { id in
                await outcome { try await reader.wallet(id) }
            },
            transferByID: { id, wallet in
                await outcome { try await reader.transfer(id, in: wallet) }
            },
            transfersByQuery: { wallet, query in
                await outcome { try await reader.transfers(in: wallet, query) }
            })
    }
}

/// How batches are written: each operation for itself, or all or none.
struct BatchSide: Sendable {
    /// The outcome of an operation.
    typealias Outcome = Result<Decision.Verdict, LedgerStoreError>

    let each: @Sendable ([Operation], EventOrigin) async throws -> [Outcome]
    let all: @Sendable ([Operation], BatchIdentity?, EventOrigin) async throws -> AtomicVerdict
}

extension BatchSide {
    init(_ writer: LedgerWriter) {
        self.init(
            each: { try await writer.submitAll($0, origin: $1) },
            all: { try await writer.submitAtomically($0, batch: $1, origin: $2) })
    }
}

/// The result of storage work, its failures turned into problems.
private func outcome<Value: Sendable>(_ work: () async throws -> Value) async -> Result<Value, Problem> {
    do {
        return .success(try await work())
    } catch {
        return .failure(Problem(catching: error))
    }
}

/// What the routes stand on: the one way to write and the two ways to read.
public struct WalletService: Sendable {
    let submit: @Sendable (Operation, EventOrigin) async throws -> Decision.Verdict
    let batches: BatchSide
    let ledger: ReadSide
    let projection: ReadSide
    let past: any PastReading
    let operators: any OperatorWork

    /// Puts the write path, both readers and the administrators' tools together.
    public init(
        writer: LedgerWriter, ledger: LedgerReader, projection: ProjectionReader, operators: StoredOperatorWork
    ) {
        self.init(
            submit: { try await writer.submit($0, origin: $1) },
            batches: BatchSide(writer),
            ledger: ReadSide(ledger), projection: ReadSide(projection),
            past: StoredPast(ledger: ledger, projection: projection), operators: operators)
    }

    init(
        submit: @escaping @Sendable (Operation, EventOrigin) async throws -> Decision.Verdict,
        batches: BatchSide,
        ledger: ReadSide, projection: ReadSide, past: any PastReading,
        operators: any OperatorWork
    ) {
        self.submit = submit
        self.batches = batches
        self.ledger = ledger
        self.projection = projection
        self.past = past
        self.operators = operators
    }
}
