public import Ledger

/// The ways in which the books can disagree with themselves.
public enum DriftKind: String, CaseIterable, Sendable {
    /// The row of the wallet is not what its newest journal row says.
    case state
    /// A journal row does not follow from those before it, or is missing.
    case journal
    /// The transfers table does not say what the journal says.
    case transfers
    /// The projection has a version that the ledger does not have.
    case projectionAhead = "projection_ahead"
    /// The projection says something else than the journal about the same version.
    case projectionDiffers = "projection_differs"
    /// The projection lacks what has been in the journal for a while. Only complete audits tell it: the auditor heals.
    case projectionBehind = "projection_behind"
    /// The projection has a wallet or transfer that the ledger does not know.
    case projectionUnknown = "projection_unknown"
    /// The two wallets of a transfer do not tell the same booking with opposite signs. Only complete audits tell it and
    /// what follows.
    case transactions
    /// A journal row, or the wallet's row, is not the one whose hash is in the chain.
    case chain
    /// What a transfer is said to have given back is not what its reversals sum up to.
    case reversals
    /// The totals are not those of the journal.
    case totals
}

/// One disagreement.
public struct Drift: Hashable, Sendable, CustomStringConvertible {
    /// The kind.
    public let kind: DriftKind
    /// The wallet it is about.
    public let walletID: WalletID
    /// The version it is about.
    public let version: Int64
    /// What is wrong, with both values.
    public let problem: String

    /// A drift out of its parts.
    public init(kind: DriftKind, walletID: WalletID, version: Int64, problem: String) {
        self.kind = kind
        self.walletID = walletID
        self.version = version
        self.problem = problem
    }

    /// One line for a log or a report.
    public var description: String { "\(kind.rawValue): wallet \(walletID) version \(version): \(problem)" }
}

/// What a complete audit found.
public struct AuditReport: Sendable {
    /// How many of the disagreements are kept in `drifts`.
    public static let driftsMax = 1000

    /// Wallets looked at.
    public internal(set) var wallets = 0
    /// Journal rows walked over.
    public internal(set) var entries = 0
    /// Rows of the transfers table compared.
    public internal(set) var transfers = 0
    /// The disagreements, up to `driftsMax`.
    public private(set) var drifts: [Drift] = []
    /// How many disagreements there were.
    public private(set) var driftCount = 0

    /// Nothing looked at yet.
    public init() {}

    /// Whether the books agree.
    public var isClean: Bool { driftCount == 0 }

    mutating func add(_ drift: Drift) {
        driftCount += 1
        if drifts.count < Self.driftsMax { drifts.append(drift) }
    }

    mutating func merge(_ other: AuditReport) {
        wallets += other.wallets
        entries += other.entries
        transfers += other.transfers
        let hidden = other.driftCount - other.drifts.count
        for drift in other.drifts { add(drift) }
        driftCount += hidden
    }
}
