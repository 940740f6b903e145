public import Ledger

/// A wallet that is asked for, whichever way the request came: the one place where it becomes an operation.
public struct OpeningRequest: Sendable {
    /// The id that the client chose; nil for a new one.
    public var walletID: WalletID?
    /// Who it belongs to.
    public var ownerID: String?
    /// What it holds.
    public var asset: Asset
    /// The asset as the request names it; nil when it leaves the choice to the configuration.
    public var writtenAsset: String?
    /// What it starts with.
    public var initialBalance: DecimalAmount?
    /// The client's JSON object in canonical form.
    public var metadata: String?
    /// Makes a repeat recognisable.
    public var key: IdempotencyKey?

    /// A request out of its parts.
    public init(
        walletID: WalletID? = nil, ownerID: String?, asset: Asset, writtenAsset: String?,
        initialBalance: DecimalAmount? = nil, metadata: String? = nil, key: IdempotencyKey?
    ) {
        self.walletID = walletID
        self.ownerID = ownerID
        self.asset = asset
        self.writtenAsset = writtenAsset
        self.initialBalance = initialBalance
        self.metadata = metadata
        self.key = key
    }

    /// The operation. `newID` gives the wallet's id where the client chose none, `actor` says who asks.
    public func operation(newID: () -> RawUUID, actor: String? = nil) -> Operation {
        let opening = Opening(
            ownerID: ownerID, asset: asset, initialBalance: initialBalance, metadata: metadata,
            hasClientID: walletID != nil)
        return Operation(
            walletID: walletID ?? WalletID(newID()), command: .open(opening), key: key, contentHash: contentHash,
            expectedVersion: nil, actor: actor)
    }

    /// Nil when nothing makes a repeat recognisable.
    private var contentHash: UInt128? {
        guard key != nil || walletID != nil else { return nil }
        var content = ContentHash(.openWallet)
        if let walletID { content.add(wallet: walletID) }
        content.add(ownerID: ownerID)
        // As written: a repeat must be recognised even when the configured default has changed since.
        content.add(asset: writtenAsset)
        content.add(amount: initialBalance)
        content.add(metadata: metadata)
        return content.value
    }
}
