import Glibc
import Ledger

/// Wallet number `number` of a test.
func wallet(_ number: Int) -> WalletID { WalletID(RawUUID(bits: 0xAAAA << 64 | UInt128(number))) }

/// Transfer number `number` of a test.
func transfer(_ number: Int) -> TransferID { TransferID(RawUUID(bits: 0xBBBB << 64 | UInt128(number))) }

/// An idempotency key; its digest is what makes it itself here.
func key(_ number: Int) -> IdempotencyKey { IdempotencyKey(reference: "key-\(number)", digest: UInt128(number)) }

/// A moment, in seconds after the start of a test's time.
func second(_ number: Int64) -> Timestamp { Timestamp(microseconds: 1_800_000_000_000_000 + number * 1_000_000) }

/// A sum as a client writes it.
func sum(_ text: String) throws -> DecimalAmount { try DecimalAmount(text: text.utf8) }

/// The assets every test may use.
enum TestAssets {
    static let table = AssetTable(configured: [Asset(code: "POINTS", scale: 0)].compactMap { $0 })

    static func asset(_ code: String) throws -> Asset {
        guard let asset = table[code] else { throw MissingAsset(code: code) }
        return asset
    }

    struct MissingAsset: Error { let code: String }
}

/// A wallet as a table of cases wants it.
func standing(
    _ id: WalletID = wallet(1), asset: Asset, balance: Int128 = 0, pendingDebit: Int128 = 0, pendingCredit: Int128 = 0,
    overdraftLimit: Int128 = 0, version: Int64 = 1, status: WalletStatus = .active, updatedAt: Timestamp = second(0)
) -> Wallet {
    Wallet(
        id: id, ownerID: "owner", asset: asset, balance: balance, pendingDebit: pendingDebit,
        pendingCredit: pendingCredit, overdraftLimit: overdraftLimit, version: version, status: status, metadata: nil,
        createdAt: second(0), updatedAt: updatedAt)
}

/// An order as a table of cases wants it.
func order(
    _ direction: Direction, _ amount: DecimalAmount, id: TransferID = transfer(1), atOnce: Bool = false,
    expiry: TransferOrder.Expiry = .never, metadata: String? = nil, description: String? = nil,
    with counterparty: WalletID? = nil, as purpose: TransferPurpose = .transfer, note: String? = nil
) -> Command {
    .transfer(
        TransferOrder(
            id: id, hasClientID: true, direction: direction, amount: amount, settlesAtOnce: atOnce, expiry: expiry,
            description: description, metadata: metadata, counterparty: counterparty, purpose: purpose, note: note))
}

/// A reversal as a table of cases wants it.
func reversal(
    of original: TransferID, _ amount: DecimalAmount? = nil, id: TransferID, note: String? = nil,
    metadata: String? = nil, description: String? = nil
) -> Command {
    .reverse(
        ReversalOrder(
            original: original, id: id, hasClientID: true, amount: amount, description: description,
            metadata: metadata, note: note))
}

/// An amendment as a table of cases wants it.
func amendment(
    status: WalletStatus? = nil, metadata: Amendment.MetadataChange? = nil, limit: DecimalAmount? = nil,
    note: String? = nil
) -> Command {
    .amend(Amendment(status: status, metadata: metadata, overdraftLimit: limit, note: note))
}

/// An operation as a table of cases wants it.
func operation(
    _ command: Command, on id: WalletID = wallet(1), key: IdempotencyKey? = nil, hash: UInt128? = 7,
    ifMatch version: Int64? = nil, by actor: String? = nil
) -> Operation {
    Operation(walletID: id, command: command, key: key, contentHash: hash, expectedVersion: version, actor: actor)
}

extension Refusal {
    /// The case's name, for comparing without its payload. Written out: printing a value is slow.
    var name: String {
        switch self {
        case .idempotencyKeyReused: "idempotencyKeyReused"
        case .selfTransfer: "selfTransfer"
        case .walletNotFound: "walletNotFound"
        case .counterpartyNotFound: "counterpartyNotFound"
        case .assetMismatch: "assetMismatch"
        case .counterpartyNotActive: "counterpartyNotActive"
        case .transferNotCompleted: "transferNotCompleted"
        case .transferNotReversible: "transferNotReversible"
        case .expiryNotLater: "expiryNotLater"
        case .amountExceedsReversible: "amountExceedsReversible"
        case .walletNotEmpty: "walletNotEmpty"
        case .overdraftInUse: "overdraftInUse"
        case .walletExists: "walletExists"
        case .amountPrecision: "amountPrecision"
        case .walletNotActive: "walletNotActive"
        case .transferNotFound: "transferNotFound"
        case .transferExists: "transferExists"
        case .transferNotPending: "transferNotPending"
        case .expiryInPast: "expiryInPast"
        case .versionMismatch: "versionMismatch"
        case .amountExceedsPending: "amountExceedsPending"
        case .amountOutOfRange: "amountOutOfRange"
        case .insufficientFunds: "insufficientFunds"
        }
    }
}

extension Decision.Verdict {
    /// The refusal and whether it is recorded; nil for anything else.
    var refusal: (refusal: Refusal, recorded: Bool)? {
        guard case .refused(let refusal, let recorded) = self else { return nil }
        return (refusal, recorded)
    }

    /// The receipt of an applied operation; nil for anything else.
    var receipt: Receipt? {
        guard case .applied(let receipt) = self else { return nil }
        return receipt
    }
}

extension Prior.Outcome {
    /// What an answer shows of it: an answer about a transfer shows no metadata of the wallet, and journals tell it
    /// only where it changes.
    var shown: Prior.Outcome {
        switch self {
        case .applied(let receipt): .applied(receipt.shown)
        case .refused(.transferNotPending(let receipt)): .refused(.transferNotPending(receipt.shown))
        case .refused: self
        }
    }
}

extension Receipt {
    fileprivate var shown: Receipt {
        guard transfer != nil else { return self }
        var wallet = wallet
        wallet.metadata = nil
        return Receipt(wallet: wallet, transfer: transfer)
    }
}

/// Repeatable random numbers (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// A seed out of `WALLET_TEST_SEED`, or a new one; printed under the test's name, so that a failure repeats.
    static func announced(_ test: String) -> SeededNumbers {
        let given = getenv("WALLET_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        let numbers = SeededNumbers(seed: given ?? UInt64.random(in: 0...UInt64.max))
        print("\(test): WALLET_TEST_SEED=\(numbers.seed)")
        return numbers
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in 0 ..< `bound`.
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// True once in `times`.
    mutating func once(in times: Int) -> Bool { below(times) == 0 }
}
