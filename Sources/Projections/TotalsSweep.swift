import Ledger
import Runtime

/// Where a look at all wallets is, and when it goes on. All moments are monotonic nanoseconds.
struct TotalsSweep {
    /// How much slower sweeps are after the first one.
    static let easing = 5

    private let configuration: TotalsConfiguration
    /// The last wallet looked at; nil at the beginning of a sweep.
    private(set) var cursor: WalletID?
    /// When the next page may be looked at.
    private(set) var due: UInt64
    private var began: UInt64
    private var isFirst = true

    init(configuration: TotalsConfiguration, now: UInt64) {
        self.configuration = configuration
        began = now
        due = now
    }

    /// Notes a page of so many wallets that ended with `last`; true when it was the last page.
    mutating func advance(to last: WalletID?, wallets: Int, now: UInt64) -> Bool {
        let rate = Double(max(1, configuration.sweepRate)) / (isFirst ? 1 : Double(Self.easing))
        cursor = last
        due = now + UInt64(Double(wallets) / rate * 1e9)
        guard last == nil else { return false }
        due = max(due, began + UInt64(clamping: configuration.shortestSweep.wholeNanoseconds))
        began = due
        isFirst = false
        return true
    }
}
