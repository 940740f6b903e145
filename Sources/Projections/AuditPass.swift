import Events
import Ledger
import LedgerStore
import Observability
import Postgres
import Runtime

/// One auditor's way through the wallets. Belongs to the auditor's thread.
final class AuditPass {
    /// What a sweep did.
    struct Summary {
        var took: Duration = .zero
        var wallets = 0
        var healedWallets = 0
        var healedTransfers = 0
    }

    /// A wallet of the chunk with what is to be seen of it.
    private struct Subject {
        let stored: StoredWallet
        let projected: ProjectedWallet?

        /// The walk begins after this entry.
        var auditedVersion: Int64 { projected?.auditedVersion ?? 0 }
    }

    /// Entries read at once of each of many wallets, and of a single one that has more.
    private static let entriesOfMany = 50
    private static let entriesOfOne = 1000
    private static let piecesOfOne = 10
    /// Events collected before they are applied.
    private static let healsMax = 1000
    /// So many new entries cost as much as a wallet.
    private static let entriesPerCost = 4.0
    /// Wallets with faults whose progress past them is remembered.
    private static let frontiersMax = 10_000

    private let configuration: AuditorConfiguration
    private let ledger: PostgresConnection
    private let projection: PostgresConnection
    private let journal: JournalReader
    private let view: ProjectionView
    private let table: DriftTable
    private let writer: ProjectionWriter
    private let clock: Clock
    private let metrics: AuditorMetrics
    private var drifts: DriftLog
    private var wasConnected = false
    private var cursor: WalletID?
    private var began: UInt64 = 0
    private var summary = Summary()
    private var heals: [WalletEvent] = []
    private var marks: [(wallet: WalletID, version: Int64)] = []
    private var cost = 0.0
    /// The lowest faulty version of each wallet of the chunk. A wallet's mark never passes it, so that each sweep finds
    /// the fault again for as long as it lasts.
    private var faults: [WalletID: Int64] = [:]
    /// How far the walks over wallets with faults have come, which no mark remembers.
    private var frontiers: [WalletID: Int64] = [:]

    init(
        configuration: AuditorConfiguration, ledger: PostgresConfiguration, projection: PostgresConfiguration,
        assets: AssetTable, clock: Clock, logger: Logger, metrics: AuditorMetrics
    ) throws {
        self.configuration = configuration
        self.ledger = PostgresConnection(configuration: ledger.keepingToIndexes)
        self.projection = PostgresConnection(configuration: projection.keepingToIndexes)
        journal = try JournalReader(connection: self.ledger, assets: assets)
        writer = try ProjectionWriter(connection: self.projection)
        view = ProjectionView(connection: self.projection, assets: assets)
        table = try DriftTable(connection: self.projection)
        self.clock = clock
        self.metrics = metrics
        drifts = DriftLog(logger: logger, metrics: metrics)
    }

    /// Makes sure of both connections.
    func connect() throws {
        var isNew = false
        for connection in [ledger, projection] where !connection.isHealthy {
            try connection.connect()
            isNew = true
        }
        // Perhaps to a projection database that was restored.
        if isNew { frontiers.removeAll() }
        if isNew, wasConnected { metrics.reconnects.increment() }
        wasConnected = true
    }

    func close() {
        ledger.close()
        projection.close()
    }

    /// After an error: the chunk is done again, nothing half done is kept.
    func abandon() {
        heals.removeAll()
        marks.removeAll()
        faults.removeAll()
        for connection in [ledger, projection] where connection.isInTransaction { connection.rollback() }
    }

    func beginSweep() {
        cursor = nil
        began = clock.monotonicNanoseconds()
        summary = Summary()
    }

    /// The end of a sweep. It may be tried again when it fails: what was found is forgotten only once it is kept.
    func endSweep() throws -> Summary {
        try table.replace(by: drifts.found)
        drifts.endSweep()
        summary.took = .nanoseconds(Int64(clamping: clock.monotonicNanoseconds() - began))
        return summary
    }

    /// Audits the next wallets; true when they were the last. `pause` is called with the cost of what was done, in
    /// wallets, and returns whether to stop.
    func nextChunk(pause: (Double) -> Bool) throws -> Bool {
        let stored = try journal.wallets(after: cursor, limit: configuration.chunk)
        let isLast = stored.count < configuration.chunk
        // Read after the ledger: what is newer there than here is then no proof of anything.
        let projected = try view.wallets(
            after: cursor, through: isLast ? nil : stored.last?.wallet.id, limit: configuration.chunk * 4)
        var byID: [WalletID: ProjectedWallet] = [:]
        for one in projected { byID[one.wallet.id] = one }
        let subjects = stored.map { Subject(stored: $0, projected: byID.removeValue(forKey: $0.wallet.id)) }
        for stray in byID.values { try checkStray(stray) }
        cost = Double(max(1, stored.count))
        for subject in subjects { try compare(subject) }
        try walk(subjects, pause)
        try flush()
        faults.removeAll(keepingCapacity: true)
        summary.wallets += stored.count
        metrics.wallets.increment(by: stored.count)
        cursor = stored.last?.wallet.id ?? cursor
        _ = pause(cost)
        return isLast
    }

    /// What is older than this must have arrived everywhere.
    private var horizon: Timestamp {
        Timestamp(microseconds: clock.wallMicroseconds() - configuration.grace.wholeNanoseconds / 1000)
    }

    private func checkStray(_ stray: ProjectedWallet) throws {
        let id = stray.wallet.id
        guard try journal.newestVersion(of: id) == nil else { return }
        drifts.add(
            Drift(
                kind: .projectionUnknown, walletID: id, version: stray.wallet.version,
                problem: "is projected, but the ledger has no such wallet"))
    }

    /// State against journal, projection against both; notes what has to be healed.
    private func compare(_ subject: Subject) throws {
        let wallet = subject.stored.wallet
        for drift in Comparison.state(of: subject.stored) { drifts.add(drift) }
        guard let newest = subject.stored.newest else { return }
        let version = subject.projected?.wallet.version ?? 0
        if let projected = subject.projected, version == newest.version {
            for drift in Comparison.projected(projected.wallet, newest, wallet) { drifts.add(drift) }
        } else if version > newest.version {
            let now = try journal.newestVersion(of: wallet.id) ?? 0
            if version > now { reportAhead(wallet.id, version, now, "") }
        } else if newest.occurredAt <= horizon {
            let records = try journal.records(of: wallet, after: newest.version - 1, limit: 1)
            heals += records.prefix(1).map(\.event)
        }
    }

    /// Tells of what is wrong with an entry and keeps the wallet's mark from passing it.
    private func addFault(_ drift: Drift, at version: Int64) {
        drifts.add(drift)
        faults[drift.walletID] = min(version, faults[drift.walletID] ?? .max)
    }

    private func reportAhead(_ wallet: WalletID, _ version: Int64, _ known: Int64, _ what: String) {
        drifts.add(
            Drift(
                kind: .projectionAhead, walletID: wallet, version: version,
                problem: "\(what)is projected at version \(version), the journal ends at \(known)"))
    }

    /// The journal entries that were not audited yet: each must follow from those before it and be projected.
    private func walk(_ subjects: [Subject], _ pause: (Double) -> Bool) throws {
        let horizon = horizon
        let fresh = subjects.filter { subject in
            subject.auditedVersion < subject.stored.newest?.version ?? subject.stored.wallet.version
        }
        // The entry before the first new one comes along: the walk begins with its balances.
        let records = try journal.records(
            of: fresh.map { ($0.stored.wallet, max(0, $0.auditedVersion - 1)) }, limit: Self.entriesOfMany)
        var found: [JournalRecord] = []
        var large: [(wallet: Wallet, walk: JournalWalk)] = []
        for subject in fresh {
            let wallet = subject.stored.wallet
            var (walk, rest) = begin(subject, records[wallet.id] ?? [])
            let old = rest.prefix { $0.entry.occurredAt <= horizon }
            step(&walk, old)
            found += old
            if !old.isEmpty { marks.append((wallet.id, walk.version)) }
            if old.count == rest.count, records[wallet.id]?.count == Self.entriesOfMany { large.append((wallet, walk)) }
        }
        try compareTransfers(found)
        if found.count > Self.entriesOfOne || !large.isEmpty { try flush() }
        for (wallet, walk) in large { try continueWalk(walk, wallet, horizon, pause) }
    }

    /// Where the walk over a wallet begins, and the entries to walk over.
    private func begin(_ subject: Subject, _ records: [JournalRecord]) -> (JournalWalk, ArraySlice<JournalRecord>) {
        let wallet = subject.stored.wallet
        let from = subject.auditedVersion
        guard from > 0 else { return (JournalWalk(walletID: wallet.id), records[...]) }
        guard let first = records.first, first.entry.version == from else {
            addFault(
                Drift(
                    kind: .journal, walletID: wallet.id, version: from,
                    problem: "the entry was audited before and is gone"), at: from)
            guard let first = records.first else { return (JournalWalk(walletID: wallet.id), []) }
            return (JournalWalk(after: first.entry), records.dropFirst())
        }
        return (JournalWalk(after: first.entry), records.dropFirst())
    }

    private func step(_ walk: inout JournalWalk, _ records: ArraySlice<JournalRecord>) {
        for record in records {
            let due = walk.version &+ 1
            for discrepancy in walk.step(record.entry, creation: record.creation) {
                addFault(
                    Drift(
                        kind: .journal, walletID: discrepancy.walletID, version: discrepancy.version,
                        problem: discrepancy.problem), at: min(due, discrepancy.version))
            }
        }
        metrics.entries.increment(by: records.count)
        cost += Double(records.count) / Self.entriesPerCost
    }

    /// Goes on with a wallet that has many new entries, in pieces.
    private func continueWalk(
        _ begun: JournalWalk, _ wallet: Wallet, _ horizon: Timestamp, _ pause: (Double) -> Bool
    ) throws {
        var walk = begun
        if faults[wallet.id] == nil {
            frontiers[wallet.id] = nil
        } else if let frontier = frontiers[wallet.id], frontier > walk.version,
            let entry = try journal.entry(of: wallet.id, version: frontier)
        {
            walk = JournalWalk(after: entry)
        }
        // What is left then waits for the next sweep, so that one busy wallet does not keep the others waiting.
        for _ in 0..<Self.piecesOfOne {
            let records = try journal.records(of: wallet, after: walk.version, limit: Self.entriesOfOne)
            let old = records.prefix { $0.entry.occurredAt <= horizon }
            guard let last = old.last else { return }
            step(&walk, old)
            try compareTransfers(Array(old))
            heals.append(last.event)
            marks.append((wallet.id, walk.version))
            try flush()
            if faults[wallet.id] != nil, frontiers.count < Self.frontiersMax || frontiers[wallet.id] != nil {
                frontiers[wallet.id] = walk.version
            }
            let isStopped = pause(cost)
            cost = 0
            if isStopped || old.count < Self.entriesOfOne { return }
        }
    }

    /// Each entry's transfer must be projected in that or a newer version.
    private func compareTransfers(_ records: [JournalRecord]) throws {
        var newest: [ProjectedKey: WalletEvent] = [:]
        for record in records {
            guard let transfer = record.event.transfer else { continue }
            newest[ProjectedKey(wallet: transfer.walletID, transfer: transfer.id)] = record.event
        }
        let projected = try view.transfers(Array(newest.keys))
        for (key, event) in newest {
            guard let transfer = event.transfer else { continue }
            guard let there = projected[key], there.version >= transfer.version else {
                heals.append(event)
                if heals.count >= Self.healsMax { try heal() }
                continue
            }
            if there.version == transfer.version {
                for drift in Comparison.projected(there, transfer) { addFault(drift, at: transfer.version) }
            } else {
                let known = try journal.newestVersion(of: key.wallet) ?? 0
                if there.version > known { reportAhead(key.wallet, there.version, known, "transfer \(key.transfer) ") }
            }
        }
    }

    private func heal() throws {
        guard !heals.isEmpty else { return }
        let changes = try writer.apply(heals)
        heals.removeAll(keepingCapacity: true)
        summary.healedWallets += changes.wallets
        summary.healedTransfers += changes.transfers
        metrics.healedWallets.increment(by: changes.wallets)
        metrics.healedTransfers.increment(by: changes.transfers)
    }

    /// Heals, and then remembers what was seen: in this order, so that nothing is taken for seen that is not there.
    private func flush() throws {
        try heal()
        try view.markAudited(
            marks.map { ($0.wallet, min($0.version, faults[$0.wallet].map { $0 - 1 } ?? .max)) })
        marks.removeAll(keepingCapacity: true)
    }
}
