import JSON
import Ledger

/// The members of one operation while they are being read, out of a route's body or out of a batch.
struct OperationParts {
    /// What is asked for; in a batch nil until `op` has been read.
    var kind: OperationKind?
    /// Whether it is one of a batch.
    let isItem: Bool
    /// The names that were there, whatever their values.
    private(set) var seen: MemberSet = []

    private(set) var walletID: RawUUID?
    private(set) var toWalletID: RawUUID?
    private(set) var transferID: RawUUID?
    private(set) var reversalID: RawUUID?
    private(set) var amount: DecimalAmount?
    private(set) var reference: String?
    private(set) var direction: Direction?
    private(set) var settlesAtOnce = false
    private(set) var walletStatus: WalletStatus?
    private(set) var expiresAt: Timestamp?
    private(set) var expiresIn: Int64?
    private(set) var reason: String?
    private(set) var metadata: String?
    private(set) var removesMetadata = false
    private(set) var description: String?
    private(set) var ownerID: String?
    private(set) var assetCode: String?

    /// The longest `expires_in`: ten years of 365 days, in seconds.
    static let longestExpiry: Int64 = 315_360_000

    /// For a route's body, which can be of one kind only.
    init(_ kind: OperationKind) {
        self.kind = kind
        isItem = false
    }

    /// For an operation in a batch.
    init() {
        isItem = true
    }

    var expiry: TransferOrder.Expiry {
        if let expiresAt { return .at(expiresAt) }
        return expiresIn.map { .after(seconds: $0) } ?? .never
    }

    /// Reads the object's members.
    mutating func read(_ reader: inout BodyReader) throws(JSONError) {
        try reader.object(Member.words) { (index, reader) throws(JSONError) in
            guard let member = Member(rawValue: index), allows(member) else { return false }
            seen.insert(MemberSet(member))
            try read(member, &reader)
            return true
        }
    }

    /// Members that come before `op` are judged by `check`.
    private func allows(_ member: Member) -> Bool {
        guard let kind else { return isItem }
        return (isItem ? kind.itemMembers : kind.members).contains(member)
    }

    private mutating func read(_ member: Member, _ reader: inout BodyReader) throws(JSONError) {
        let name = member.name
        switch member {
        case .op: read(op: try reader.word(name), &reader)
        case .walletID, .fromWalletID: walletID = try reader.uuid(name)
        case .toWalletID: toWalletID = try reader.uuid(name)
        case .transferID: transferID = try reader.uuid(name)
        case .reversalID: reversalID = try reader.uuid(name)
        case .amount: amount = try reader.amount(name, mayBeZero: false)
        case .initialBalance, .overdraftLimit: amount = try reader.amount(name, mayBeZero: true)
        case .referenceID: reference = try reader.line(name, limit: 255)
        case .direction: read(direction: try reader.word(name), &reader)
        case .status: read(status: try reader.word(name), &reader)
        case .expiresAt: expiresAt = try reader.moment(name)
        case .expiresIn: expiresIn = try reader.integer(name, in: 1...Self.longestExpiry)
        case .reason: reason = try reader.text(name, limit: 1024)
        case .metadata:
            if kind == .amend, try reader.null() {
                removesMetadata = true
            } else {
                metadata = try reader.metadata(name)
            }
        case .description: description = try reader.text(name, limit: 1024)
        case .ownerID: ownerID = try reader.line(name, limit: 255)
        case .asset: assetCode = try reader.word(name)
        }
    }

    private mutating func read(op word: String, _ reader: inout BodyReader) {
        kind = OperationKind(word: word)
        if kind == nil { reader.refuse("op", .outOfRange, "There is no operation of this name.") }
    }

    private mutating func read(direction word: String, _ reader: inout BodyReader) {
        direction = Direction(word: word)
        if direction == nil { reader.refuse("direction", .outOfRange, "A direction is \"debit\" or \"credit\".") }
    }

    private mutating func read(status word: String, _ reader: inout BodyReader) {
        if kind == .amend {
            walletStatus = WalletStatus(word: word)
            guard walletStatus == nil else { return }
            return reader.refuse("status", .outOfRange, "A wallet is \"active\", \"frozen\" or \"closed\".")
        }
        switch word {
        case "pending": settlesAtOnce = false
        case "completed": settlesAtOnce = true
        default: reader.refuse("status", .outOfRange, "A new transfer is \"pending\" or \"completed\".")
        }
    }
}

// MARK: - Rules that concern more than one member

extension OperationParts {
    /// Notes what is missing, what has no place, and what does not go together. `isWhole` tells whether the object was
    /// read to its end, so that a member that was not seen is missing.
    func check(_ reader: inout BodyReader, isWhole: Bool) {
        guard let kind else {
            if isWhole, !seen.contains(.op) { reader.refuse("op", .required, "The op is missing.") }
            return
        }
        if isItem {
            for member in seen.subtracting(kind.itemMembers).members {
                reader.refuse(member.name, .unknown, "A \(kind.word ?? "") has no member \"\(member.name)\".")
            }
        }
        if isWhole {
            let required = isItem ? kind.required.union(kind.pathMembers) : kind.required
            if !seen.isSuperset(of: required) {
                for member in required.subtracting(seen).members {
                    reader.refuse(member.name, .required, "The \(member.name) is missing.")
                }
            }
            checkChoices(of: kind, &reader)
        }
        if kind == .adjust, reason?.isEmpty == true {
            reader.refuse("reason", .tooShort, "\"reason\" must not be empty.")
        }
        guard expiresAt != nil || expiresIn != nil else { return }
        if expiresAt != nil, expiresIn != nil {
            reader.refuse("expires_in", .conflict, "Only one of expires_at and expires_in may be given.")
        }
        if settlesAtOnce, expiresAt != nil {
            reader.refuse("expires_at", .notAllowed, "A transfer that settles at once cannot expire.")
        }
        if settlesAtOnce, expiresIn != nil {
            reader.refuse("expires_in", .notAllowed, "A transfer that settles at once cannot expire.")
        }
    }

    /// One of several must be there.
    private func checkChoices(of kind: OperationKind, _ reader: inout BodyReader) {
        if kind == .extend, seen.isDisjoint(with: .expiry) {
            reader.refuse("expires_at", .required, "One of expires_at and expires_in must be given.")
        }
        if kind == .amend, seen.isDisjoint(with: [.status, .metadata, .overdraftLimit]) {
            reader.refuse("", .required, "At least one of status, metadata and overdraft_limit must be given.")
        }
    }
}
