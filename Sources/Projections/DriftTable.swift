public import Ledger
import LedgerStore
import Postgres

/// A disagreement that an auditor found, with when.
public struct FoundDrift: Hashable, Sendable {
    /// The disagreement.
    public let drift: Drift
    /// When it was found first.
    public let firstSeen: Timestamp
    /// The end of the last sweep that found it.
    public let lastSeen: Timestamp
}

/// Keeps what the last sweep found where other processes can read it. Belongs to the thread that uses the connection.
struct DriftTable {
    /// How many disagreements are kept.
    static let max = 1000

    let connection: PostgresConnection
    private let parameters = PostgresParameters()

    init(connection: PostgresConnection) throws {
        self.connection = connection
        try connection.prepare(
            "drift_keep",
            """
            INSERT INTO projection.drift AS d (wallet_id, version, kind, problem, first_seen_at, last_seen_at)
            SELECT k.wallet_id, k.version, k.kind, k.problem, now(), now()
            FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::text[]) k(wallet_id, version, kind, problem)
            ORDER BY 1, 2, 3, 4
            ON CONFLICT (wallet_id, version, kind, problem) DO UPDATE SET last_seen_at = now()
            """)
        try connection.prepare("drift_forget", "DELETE FROM projection.drift WHERE last_seen_at < now()")
    }

    /// Replaces what earlier sweeps found by what this one did.
    func replace(by drifts: some Collection<Drift>) throws {
        let (wallets, versions) = (PostgresArray(of: .uuid), PostgresArray(of: .int8))
        let (kinds, problems) = (PostgresArray(of: .text), PostgresArray(of: .text))
        for drift in drifts.prefix(Self.max) {
            wallets.append(uuid: drift.walletID.uuid.bits)
            versions.append(int8: drift.version)
            kinds.append(text: drift.kind.rawValue)
            problems.append(text: String(drift.problem.prefix(500)))
        }
        parameters.removeAll()
        for array in [wallets, versions, kinds, problems] { parameters.append(array) }
        try connection.transaction { connection in
            _ = try connection.query("drift_keep", parameters)
            _ = try connection.query("drift_forget")
        }
    }
}

extension ProjectionReader {
    /// What the auditors' last sweeps found, the newest first, at most `DriftTable.max`.
    public func drifts() async throws -> [FoundDrift] {
        try await pool.perform { connection in
            let result = try connection.query("drift_list")
            return try (0..<result.rowCount).compactMap { row in
                guard let kind = DriftKind(rawValue: try result.text(row, 2)) else { return nil }
                return FoundDrift(
                    drift: Drift(
                        kind: kind, walletID: WalletID(RawUUID(bits: try result.uuid(row, 0))),
                        version: try result.int64(row, 1), problem: try result.text(row, 3)),
                    firstSeen: Timestamp(microseconds: try result.timestamp(row, 4)),
                    lastSeen: Timestamp(microseconds: try result.timestamp(row, 5)))
            }
        }
    }
}
