import Ledger
import Runtime

/// The wallets whose rows somebody else keeps locked: an operator's session, or a process that hangs with a transaction
/// open. An operation that needs one is refused at once; otherwise each batch with such an operation would wait for the
/// lock as long as it may, and everybody behind it would, too.
struct HeldWallets {
    /// Longer than a batch of another process takes.
    private static let pause = Duration.milliseconds(100)

    /// Each with the `xmax` that tells the transaction that has the lock.
    private var holds: [WalletID: UInt32] = [:]
    /// Never raised: waiting for it is a pause.
    private let signal = StopSignal()

    /// Whether there is nothing to look for.
    var isEmpty: Bool { holds.isEmpty }

    /// Looks for what `batch` has just waited for in vain: the wallets that the same transaction has locked before and
    /// after a pause. Batches of other processes come and go, each with another one.
    mutating func find(_ batch: ArraySlice<PendingWork>, _ session: LaneSession) throws {
        let needs = BatchNeeds(batch)
        let first = try session.lockedWallets(needs, and: [])
        guard !first.isEmpty else { return }
        signal.wait(for: Self.pause)
        let second = try session.lockedWallets(needs, and: [])
        for (wallet, xmax) in first where second[wallet] == xmax { holds[wallet] = xmax }
    }

    /// Parts `batch` into what can be done and what needs one of the wallets that are still held, be it for a transfer
    /// that was to be made by what is refused.
    mutating func part(
        _ batch: ArraySlice<PendingWork>, _ session: LaneSession
    ) throws -> (free: ArraySlice<PendingWork>, refused: ArraySlice<PendingWork>) {
        let needs = BatchNeeds(batch)
        let locked = try session.lockedWallets(needs, and: holds.keys)
        holds = holds.filter { locked[$0.key] == $0.value }
        guard !holds.isEmpty else { return (batch, []) }
        var transfers = try session.transfers(needs.transfers + needs.newTransfers, with: holds.keys)
        var (free, refused): (ArraySlice<PendingWork>, ArraySlice<PendingWork>) = ([], [])
        for work in batch {
            let own = BatchNeeds([work])
            if own.wallets.contains(where: { holds[$0] != nil }) || own.transfers.contains(where: transfers.contains)
                || own.newTransfers.contains(where: transfers.contains)
            {
                transfers.formUnion(own.newTransfers)
                refused.append(work)
            } else {
                free.append(work)
            }
        }
        return (free, refused)
    }
}
