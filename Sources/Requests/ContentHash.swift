import Digest
public import Ledger

/// Builds the digest by which a repeat of a request is told from another request under the same key.
///
/// The encoding is unambiguous: each field is its tag, its length and its bytes; a missing field is left out. What a
/// client may write in several ways counts once: money as its value, moments in UTC, metadata in canonical form.
/// The key itself and preconditions are no content.
public struct ContentHash {
    /// The kinds of request. The numbers are part of stored digests and never change.
    public enum Kind: UInt8 {
        /// Create a wallet.
        case openWallet = 1
        /// Money into the wallet.
        case debit = 2
        /// Money out of the wallet.
        case credit = 3
        /// Settle a pending transfer.
        case complete = 4
        /// Release a pending transfer.
        case revert = 5
        /// From one wallet to another.
        case transfer = 6
        /// Give a completed transfer back.
        case reverse = 7
        /// Move the expiry of a pending transfer.
        case extend = 8
        /// An administrator's correction.
        case adjust = 9
        /// Change the wallet itself.
        case amend = 10
        /// Several operations at once.
        case batch = 11
    }

    /// The fields. The numbers are part of stored digests and never change.
    private enum Tag: UInt8 {
        case wallet = 1
        case transfer = 2
        case ownerID = 3
        case asset = 4
        case amount = 5
        case status = 6
        case expiresAt = 7
        case expiresIn = 8
        case description = 9
        case metadata = 10
        case note = 11
        case counterparty = 12
        case reversal = 13
        case direction = 14
        case walletStatus = 15
        case overdraftLimit = 16
        case metadataRemoval = 17
        case item = 18
    }

    private var digest = RunningDigest()

    /// Starts the content of one kind of request.
    public init(_ kind: Kind) { digest.update(kind.rawValue) }

    /// The first 128 bits of the SHA-256 of what was added.
    public var value: UInt128 { digest.prefix }

    /// The wallet the request is about.
    public mutating func add(wallet: WalletID) { add(.wallet, wallet.uuid.bits) }
    /// The transfer the request is about.
    public mutating func add(transfer: TransferID) { add(.transfer, transfer.uuid.bits) }
    /// The other wallet.
    public mutating func add(counterparty: WalletID) { add(.counterparty, counterparty.uuid.bits) }
    /// The new transfer of a reversal.
    public mutating func add(reversal: TransferID) { add(.reversal, reversal.uuid.bits) }
    /// Who the wallet belongs to.
    public mutating func add(ownerID: String?) { add(.ownerID, ownerID) }
    /// The asset as the request names it.
    public mutating func add(asset: String?) { add(.asset, asset) }
    /// The words about a transfer.
    public mutating func add(description: String?) { add(.description, description) }
    /// Metadata in canonical form.
    public mutating func add(metadata: String?) { add(.metadata, metadata) }
    /// The reason given.
    public mutating func add(note: String?) { add(.note, note) }

    /// Which way the money moves.
    public mutating func add(direction: Direction) {
        add(.direction, byte: UInt8(truncatingIfNeeded: direction.rawValue))
    }
    /// A sum, by its value.
    public mutating func add(amount: DecimalAmount?) { add(.amount, amount) }

    /// An operation of a batch, by its own digest and key.
    public mutating func add(item: Operation) {
        add(.item, length: 32)
        append(item.contentHash ?? 0)
        append(item.key?.digest ?? 0)
    }

    /// What an amendment asks for.
    public mutating func add(_ amendment: Amendment) {
        if let status = amendment.status { add(.walletStatus, byte: UInt8(truncatingIfNeeded: status.rawValue)) }
        switch amendment.metadata {
        case .set(let metadata): add(metadata: metadata)
        case .remove: add(.metadataRemoval, length: 0)
        case nil: break
        }
        add(.overdraftLimit, amendment.overdraftLimit)
        add(note: amendment.note)
    }

    private mutating func add(_ tag: Tag, _ amount: DecimalAmount?) {
        guard let amount else { return }
        add(tag, length: 17)
        append(UInt128(bitPattern: amount.unscaled))
        digest.update(UInt8(truncatingIfNeeded: amount.decimals))
    }

    /// Whether a transfer settles at once.
    public mutating func add(settlesAtOnce: Bool) {
        add(.status, byte: settlesAtOnce ? 1 : 0)
    }

    /// When a transfer runs out.
    public mutating func add(expiry: TransferOrder.Expiry) {
        switch expiry {
        case .never: break
        case .at(let moment): add(.expiresAt, UInt128(UInt64(bitPattern: moment.microseconds)))
        case .after(let seconds): add(.expiresIn, UInt128(UInt64(bitPattern: seconds)))
        }
    }

    private mutating func add(_ tag: Tag, _ text: String?) {
        guard let text else { return }
        add(tag, length: text.utf8.count)
        digest.update(text.utf8)
    }

    private mutating func add(_ tag: Tag, byte: UInt8) {
        add(tag, length: 1)
        digest.update(byte)
    }

    private mutating func add(_ tag: Tag, _ number: UInt128) {
        add(tag, length: 16)
        append(number)
    }

    private mutating func add(_ tag: Tag, length: Int) {
        // Tag and length in one: five bytes out of eight.
        let head = UInt64(tag.rawValue) << 32 | UInt64(UInt32(truncatingIfNeeded: length))
        withUnsafeBytes(of: head.bigEndian) { digest.update(UnsafeRawBufferPointer(rebasing: $0[3...])) }
    }

    private mutating func append(_ number: UInt128) {
        withUnsafeBytes(of: number.bigEndian) { digest.update($0) }
    }
}

extension IdempotencyKey {
    /// The key for a reference as it was written.
    public init(reference: String) {
        self.init(reference: reference, digest: Digest.sha256Prefix(reference))
    }
}
