import JSON

/// The members of the JSON objects that ask for operations.
enum Member: Int, CaseIterable, Sendable {
    // In the order in which clients mostly write them: looking a name up begins behind the last one.
    case op
    case walletID
    case fromWalletID
    case toWalletID
    case amount
    case transferID
    case reversalID
    case referenceID
    case direction
    case status
    case expiresAt
    case expiresIn
    case reason
    case metadata
    case description
    case ownerID
    case asset
    case initialBalance
    case overdraftLimit

    /// Its name in JSON.
    var name: String {
        switch self {
        case .op: "op"
        case .walletID: "wallet_id"
        case .fromWalletID: "from_wallet_id"
        case .toWalletID: "to_wallet_id"
        case .amount: "amount"
        case .transferID: "transfer_id"
        case .reversalID: "reversal_id"
        case .referenceID: "reference_id"
        case .direction: "direction"
        case .status: "status"
        case .expiresAt: "expires_at"
        case .expiresIn: "expires_in"
        case .reason: "reason"
        case .metadata: "metadata"
        case .description: "description"
        case .ownerID: "owner_id"
        case .asset: "asset"
        case .initialBalance: "initial_balance"
        case .overdraftLimit: "overdraft_limit"
        }
    }

    /// All names, by raw value.
    static let words = JSONWords(allCases.map(\.name))
}

/// A set of members.
struct MemberSet: OptionSet, Sendable {
    let rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }
    init(_ member: Member) { rawValue = 1 << UInt32(member.rawValue) }

    static let op = MemberSet(Member.op)
    static let walletID = MemberSet(Member.walletID)
    static let transferID = MemberSet(Member.transferID)
    static let reversalID = MemberSet(Member.reversalID)
    static let fromWalletID = MemberSet(Member.fromWalletID)
    static let toWalletID = MemberSet(Member.toWalletID)
    static let amount = MemberSet(Member.amount)
    static let referenceID = MemberSet(Member.referenceID)
    static let direction = MemberSet(Member.direction)
    static let status = MemberSet(Member.status)
    static let expiry: MemberSet = [MemberSet(Member.expiresAt), MemberSet(Member.expiresIn)]
    static let reason = MemberSet(Member.reason)
    static let metadata = MemberSet(Member.metadata)
    static let description = MemberSet(Member.description)
    static let ownerID = MemberSet(Member.ownerID)
    static let asset = MemberSet(Member.asset)
    static let initialBalance = MemberSet(Member.initialBalance)
    static let overdraftLimit = MemberSet(Member.overdraftLimit)

    func contains(_ member: Member) -> Bool { contains(MemberSet(member)) }

    /// The members in the order of their raw values.
    var members: [Member] { Member.allCases.filter { contains($0) } }
}

/// What a request can ask of the ledger: a write route each, and most of them as operations of a batch.
enum OperationKind: CaseIterable, Sendable {
    case openWallet
    case debit
    case credit
    case transfer
    case complete
    case revert
    case reverse
    case extend
    case adjust
    case amend

    /// Its `op` in a batch; nil when it has no place there.
    var word: String? {
        switch self {
        case .openWallet: "create_wallet"
        case .debit: "debit"
        case .credit: "credit"
        case .transfer: "transfer"
        case .complete: "complete"
        case .revert: "revert"
        case .reverse: "reverse"
        case .extend: "extend"
        case .adjust: "adjust"
        case .amend: nil
        }
    }

    /// The kind that `word` names in a batch.
    init?(word: String) {
        guard let kind = OperationKind.allCases.first(where: { $0.word == word }) else { return nil }
        self = kind
    }

    /// Whether only somebody with a name may ask for it.
    var isAdministrative: Bool { self == .adjust || self == .amend }

    /// The members of its route's body.
    var members: MemberSet {
        switch self {
        case .openWallet: [.walletID, .ownerID, .asset, .initialBalance, .referenceID, .metadata]
        case .debit, .credit: [.amount, .transferID, .referenceID, .status, .expiry, .metadata, .description]
        case .transfer:
            [
                .fromWalletID, .toWalletID, .amount, .transferID, .referenceID, .status, .expiry, .metadata,
                .description,
            ]
        case .complete: [.amount, .referenceID]
        case .revert: [.reason, .referenceID]
        case .reverse: [.amount, .transferID, .referenceID, .reason, .metadata, .description]
        case .extend: [.expiry, .referenceID]
        case .adjust: [.direction, .amount, .reason, .referenceID, .transferID, .metadata]
        case .amend: [.status, .metadata, .overdraftLimit, .reason, .referenceID]
        }
    }

    /// Those of them that must be there.
    var required: MemberSet {
        switch self {
        case .debit, .credit: .amount
        case .transfer: [.fromWalletID, .toWalletID, .amount]
        case .adjust: [.direction, .amount, .reason]
        case .openWallet, .complete, .revert, .reverse, .extend, .amend: []
        }
    }

    /// What its route has in the path, as members of an operation in a batch. There `transfer_id` names the transfer
    /// to be reversed, and `reversal_id` the new one.
    var pathMembers: MemberSet {
        switch self {
        case .openWallet, .transfer, .amend: []
        case .debit, .credit, .adjust: .walletID
        case .complete, .revert, .reverse, .extend: [.walletID, .transferID]
        }
    }

    /// The members of an operation in a batch.
    var itemMembers: MemberSet {
        let members = members.union(pathMembers).union(.op)
        return self == .reverse ? members.union(.reversalID) : members
    }
}
