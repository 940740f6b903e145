import Ledger
import Runtime

/// The wallets whose rows somebody else keeps locked: an operator's session, or a process that hangs with a transaction
/// open. An operation that needs one is refused at once; otherwise each batch with such an operation would wait for the
/// lock as long as it may, and everybody behind it would, too.
struct HeldWallets {
    private struct Hold {
        /// Tells the transaction that has the lock.
        let xmax: UInt32
        /// Monotonic nanoseconds.
        var seen: UInt64
    }

    /// How long a wallet counts as held after it was last seen locked, in nanoseconds.
    private static let memory: UInt64 = 10_000_000_000
    /// Longer than a batch of another process takes.
    private static let pause = Duration.milliseconds(100)

    private var holds: [WalletID: Hold] = [:]
    private let clock: Clock
    /// Never raised: waiting for it is a pause.
    private let signal = StopSignal()

    init(clock: Clock) { self.clock = clock }

    /// Whether there is nothing to look for.
    var isEmpty: Bool { holds.isEmpty }

    /// Looks for what `batch` has just waited for in vain: the wallets that the same transaction has locked before and
    /// after a pause. Batches of other processes come and go, each with another one.
    mutating func find(_ batch: ArraySlice<PendingWork>, _ session: LaneSession) throws {
        let needs = BatchNeeds(batch)
        let first = try session.lockedWallets(needs)
        guard !first.isEmpty else { return }
        signal.wait(for: Self.pause)
        let second = try session.lockedWallets(needs)
        for (wallet, xmax) in first where second[wallet] == xmax {
            holds[wallet] = Hold(xmax: xmax, seen: clock.monotonicNanoseconds())
        }
    }

    /// Parts `batch` into what can be done and what needs one of the wallets that are still held.
    mutating func part(
        _ batch: ArraySlice<PendingWork>, _ session: LaneSession
    ) throws -> (free: ArraySlice<PendingWork>, refused: ArraySlice<PendingWork>) {
        let needs = BatchNeeds(batch)
        let wallets = update(try session.lockedWallets(needs), of: needs.wallets)
        guard !wallets.isEmpty else { return (batch, []) }
        let transfers = try session.transfers(needs.transfers, with: wallets)
        var (free, refused): (ArraySlice<PendingWork>, ArraySlice<PendingWork>) = ([], [])
        for work in batch {
            let own = BatchNeeds([work])
            if own.wallets.contains(where: wallets.contains) || own.transfers.contains(where: transfers.contains) {
                refused.append(work)
            } else {
                free.append(work)
            }
        }
        return (free, refused)
    }

    /// Those of the locked wallets that are held by the transaction that was found. `looked` names those that were
    /// looked at, apart from the other sides of transfers.
    private mutating func update(_ locked: [WalletID: UInt32], of looked: [WalletID]) -> Set<WalletID> {
        let now = clock.monotonicNanoseconds()
        for wallet in looked where locked[wallet] == nil { holds[wallet] = nil }
        var held: Set<WalletID> = []
        for (wallet, xmax) in locked where holds[wallet] != nil {
            guard holds[wallet]?.xmax == xmax else {
                holds[wallet] = nil
                continue
            }
            holds[wallet]?.seen = now
            held.insert(wallet)
        }
        holds = holds.filter { now - $0.value.seen < Self.memory }
        return held
    }
}
