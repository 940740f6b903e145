import Ledger

/// Names a row that an event writes. Keys are sorted instead of the events, which are many times larger.
struct ProjectionKey {
    private let wallet: RawUUID
    private let transfer: RawUUID
    private let version: Int64
    private let isCreation: Bool
    /// The event's place.
    private let index: Int

    init(_ wallet: Wallet, at index: Int) {
        self.wallet = wallet.id.uuid
        transfer = self.wallet
        version = wallet.version
        isCreation = wallet.version == 1
        self.index = index
    }

    init(_ transfer: Transfer, at index: Int) {
        wallet = transfer.walletID.uuid
        self.transfer = transfer.id.uuid
        version = transfer.version
        isCreation = transfer.version == transfer.createdVersion
        self.index = index
    }

    /// Calls `body` with the place of each row's newest version, in the order of the rows, and whether the event that
    /// created the row is among the keys.
    static func forEachNewest(of keys: [ProjectionKey], _ body: (_ index: Int, _ isNew: Bool) -> Void) {
        let keys = keys.sorted { left, right in
            if left.wallet != right.wallet { return left.wallet < right.wallet }
            if left.transfer != right.transfer { return left.transfer < right.transfer }
            return left.version < right.version
        }
        var isNew = false
        for (place, key) in keys.enumerated() {
            isNew = isNew || key.isCreation
            let next = place + 1 < keys.count ? keys[place + 1] : nil
            guard next?.wallet != key.wallet || next?.transfer != key.transfer else { continue }
            body(key.index, isNew)
            isNew = false
        }
    }
}
