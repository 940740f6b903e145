import Ledger
public import LedgerStore
public import Projections

/// What a rebuild of one wallet's projections came to.
struct RebuildReport: Sendable {
    let projection: Rebuilder.Report
    let totals: TotalsRebuilder.Report?
}

/// What administrators ask of outbox and projections.
protocol OperatorWork: Sendable {
    /// How the outbox stands.
    func outbox() async throws -> OutboxStatistics
    /// Has failed rows tried at once; how many.
    func retryOutbox() async throws -> Int
    /// Has published rows of a time sent again; how many.
    func resendOutbox(from: Timestamp, to: Timestamp) async throws -> Int
    /// What the auditors' last sweeps found.
    func drifts() async throws -> [FoundDrift]
    /// Builds the projections of a wallet anew; nil when there is no such wallet.
    func rebuild(_ wallet: WalletID) async throws -> RebuildReport?
    /// Asks for all projections to be built anew; the job that is not finished yet when there is one.
    func rebuildAll(id: RawUUID, actor: String) async throws -> RebuildJob
    /// The newest jobs.
    func rebuilds() async throws -> [RebuildJob]
}

/// The work of administrators on the stores themselves.
public struct StoredOperatorWork: OperatorWork {
    private let outboxRows: OutboxAdministration
    private let projection: ProjectionReader
    private let rebuilder: Rebuilder
    private let totals: TotalsRebuilder
    private let jobs: RebuildJobs

    /// Puts the tools together.
    public init(
        outbox: OutboxAdministration, projection: ProjectionReader, rebuilder: Rebuilder, totals: TotalsRebuilder,
        jobs: RebuildJobs
    ) {
        outboxRows = outbox
        self.projection = projection
        self.rebuilder = rebuilder
        self.totals = totals
        self.jobs = jobs
    }

    func outbox() async throws -> OutboxStatistics { try await outboxRows.statistics() }

    func retryOutbox() async throws -> Int { try await outboxRows.retry() }

    func resendOutbox(from: Timestamp, to: Timestamp) async throws -> Int {
        try await outboxRows.resend(from: from, to: to)
    }

    func drifts() async throws -> [FoundDrift] { try await projection.drifts() }

    func rebuild(_ wallet: WalletID) async throws -> RebuildReport? {
        do {
            guard let report = try await rebuilder.rebuild(wallet) else { return nil }
            return RebuildReport(projection: report, totals: try await totals.rebuild(wallet))
        } catch {
            throw LedgerStoreError(reading: error)
        }
    }

    func rebuildAll(id: RawUUID, actor: String) async throws -> RebuildJob { try await jobs.ask(id: id, by: actor) }

    func rebuilds() async throws -> [RebuildJob] { try await jobs.newest(limit: 20) }
}
