import Digest
import Ledger

/// The version of the rows that one transaction wrote: known once it is committed.
final class RowVersion {
    fileprivate(set) var xid: UInt32?
}

/// A wallet's row, as far as the wallet itself does not tell.
struct StoredRow {
    /// The hash of the wallet's newest journal row.
    let chain: Fingerprint
    /// The row's `xmin`: another one means that somebody wrote the row.
    let version: UInt32
}

/// What a lane remembers of its last batches, so that the next one need not read it again: wallets, and transfers that
/// can still be acted on.
///
/// What is remembered may be out of date, as other processes write, too. So a batch that was decided on it is only
/// committed where each wallet's row still has the version that is remembered; a transfer never changes without its
/// wallet. Where it happens often that a row has another, nothing is taken from memory for a while.
struct LaneMemory {
    /// Entries by key, of which the latest `capacity` to `2 * capacity` stay.
    private struct Recent<Key: Hashable, Value> {
        private let capacity: Int
        private var young: [Key: Value] = [:]
        private var old: [Key: Value] = [:]

        init(capacity: Int) { self.capacity = capacity }

        subscript(key: Key) -> Value? { young[key] ?? old[key] }

        mutating func put(_ value: Value, for key: Key) {
            if young.count >= capacity {
                swap(&young, &old)
                young.removeAll(keepingCapacity: true)
            }
            young[key] = value
        }

        mutating func remove(_ key: Key) {
            young[key] = nil
            if !old.isEmpty { old[key] = nil }
        }

        mutating func removeAll() {
            young.removeAll()
            old.removeAll()
        }
    }

    /// The most batches for which nothing is taken from memory after it was wrong.
    private static let longestDistrust = 1024

    private struct RememberedWallet {
        let wallet: Wallet
        let chain: Fingerprint
        let version: RowVersion
        let period: UInt64
    }

    private struct RememberedTransfer {
        let record: TransferRecord
        let period: UInt64
    }

    private let isKept: Bool
    private var wallets: Recent<WalletID, RememberedWallet>
    private var transfers: Recent<TransferKey, RememberedTransfer>
    /// Keys that were used lately: whoever repeats one needs its answer, which has to be read.
    private var keys: Recent<OperationKey, Void>
    /// A wallet is remembered for a period without a gap. Transfers of an earlier period may have changed in between.
    private var lastPeriod: UInt64 = 0
    private var distrust = 0
    private var nextDistrust = 1

    /// Remembers up to `capacity` wallets and as many transfers; nothing with 0.
    init(capacity: Int) {
        isKept = capacity > 0
        wallets = Recent(capacity: capacity / 2)
        transfers = Recent(capacity: capacity / 2)
        keys = Recent(capacity: capacity / 2)
    }

    /// Whether the next batch is to be decided on what is remembered. To be asked once for each batch.
    mutating func isTrusted() -> Bool {
        guard isKept else { return false }
        guard distrust > 0 else { return true }
        distrust -= 1
        return false
    }

    /// Forgets `wallets`, of which one is not as remembered, and is trusted less.
    mutating func wasWrong(about wallets: [WalletID]) {
        for wallet in wallets { self.wallets.remove(wallet) }
        distrust = nextDistrust
        nextDistrust = min(nextDistrust * 2, Self.longestDistrust)
    }

    /// Is trusted more after a batch that was decided on it.
    mutating func wasRight() { nextDistrust = max(1, nextDistrust / 2) }

    /// Forgets everything: another server may know less.
    mutating func removeAll() {
        wallets.removeAll()
        transfers.removeAll()
        keys.removeAll()
    }

    /// Remembers what is just being committed: to be called while the database is at work. Nothing may be taken from
    /// memory before `confirm` or `forget` has been called.
    mutating func learn(_ writes: borrowing BatchWrites) -> RowVersion {
        let version = RowVersion()
        guard isKept else { return version }
        for place in writes.openedWallets { learn(writes, place, before: nil, version) }
        for (place, before) in zip(writes.changedWallets, writes.rowVersions) {
            learn(writes, place, before: before, version)
        }
        for record in writes.createdTransfers { learn(record) }
        for record in writes.changedTransfers { learn(record) }
        for posting in writes.postings {
            guard let key = posting.entry.key else { continue }
            keys.put((), for: OperationKey(wallet: posting.entry.walletID, digest: key.digest))
        }
        for refusal in writes.refusals {
            keys.put((), for: OperationKey(wallet: refusal.operation.walletID, digest: refusal.key.digest))
        }
        return version
    }

    private mutating func learn(
        _ writes: borrowing BatchWrites, _ place: Int, before: UInt32?, _ version: RowVersion
    ) {
        let wallet = writes.postings[place].wallet
        var period = lastPeriod + 1
        if let before, let known = wallets[wallet.id], known.version.xid == before {
            period = known.period
        } else {
            lastPeriod = period
        }
        wallets.put(
            RememberedWallet(wallet: wallet, chain: writes.chains[place], version: version, period: period),
            for: wallet.id)
    }

    /// What was learned last is committed. `xid` is the version of its rows; nil when it could not be told.
    mutating func confirm(_ version: RowVersion, xid: UInt32?) {
        version.xid = xid
        if xid == nil { removeAll() }
    }

    /// What was learned last may not be committed.
    mutating func forget(_ writes: borrowing BatchWrites) {
        for place in writes.openedWallets { wallets.remove(writes.postings[place].wallet.id) }
        for place in writes.changedWallets { wallets.remove(writes.postings[place].wallet.id) }
    }

    private mutating func learn(_ record: TransferRecord) {
        guard let transfer = record.receipt.transfer else { return }
        let key = TransferKey(wallet: record.creation.walletID, transfer: transfer.id)
        guard transfer.status == .pending, let wallet = wallets[key.wallet] else { return transfers.remove(key) }
        transfers.put(RememberedTransfer(record: record.asStored, period: wallet.period), for: key)
    }

    /// Puts what is remembered of `needs` into `book`, and returns what is left to be read; nil when nothing has to be.
    func fill(_ book: inout Book, for needs: BatchNeeds) -> BatchNeeds? {
        var lacking = needs.withoutNamed
        for wallet in needs.wallets where !fill(&book, wallet) { lacking.add(wallet) }
        for key in needs.transfers where !fill(&book, key) { lacking.add(key) }
        if lacking.isEmpty, !needs.keys.contains(where: { keys[$0] != nil }) { return nil }
        return lacking
    }

    private func fill(_ book: inout Book, _ wallet: WalletID) -> Bool {
        guard let known = wallets[wallet], let xid = known.version.xid else { return false }
        book.wallets[wallet] = known.wallet
        book.rows[wallet] = StoredRow(chain: known.chain, version: xid)
        return true
    }

    /// A transfer between wallets needs both and its other side.
    private func fill(_ book: inout Book, _ key: TransferKey) -> Bool {
        guard let record = record(key) else { return false }
        if let other = record.creation.counterparty {
            guard let mirrored = self.record(TransferKey(wallet: other, transfer: key.transfer)), fill(&book, other)
            else { return false }
            book.add(mirrored)
        }
        book.add(record)
        return true
    }

    private func record(_ key: TransferKey) -> TransferRecord? {
        guard let known = transfers[key], known.period == wallets[key.wallet]?.period else { return nil }
        return known.record
    }
}
