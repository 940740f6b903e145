import Ledger
import Testing

@testable import Projections

@Suite struct TotalsSweepTests {
    private static let second: UInt64 = 1_000_000_000
    private let wallet = WalletID(RawUUID(bits: 1))

    @Test func theFirstSweepIsFastAndLaterOnesTakeTheirTime() {
        var configuration = TotalsConfiguration()
        configuration.sweepRate = 2000
        configuration.shortestSweep = .seconds(1)
        var sweep = TotalsSweep(configuration: configuration, now: 7 * Self.second)
        #expect(sweep.due == 7 * Self.second && sweep.cursor == nil)
        for page in 1...3 as ClosedRange<UInt64> {
            let isOver = sweep.advance(to: wallet, wallets: 1000, now: sweep.due)
            #expect(!isOver)
            #expect(sweep.due == 7 * Self.second + page * Self.second / 2 && sweep.cursor == wallet)
        }
        var isOver = sweep.advance(to: nil, wallets: 1000, now: sweep.due)
        #expect(isOver && sweep.due == 9 * Self.second && sweep.cursor == nil)
        isOver = sweep.advance(to: wallet, wallets: 1000, now: sweep.due)
        #expect(!isOver)
        #expect(sweep.due == 11 * Self.second + Self.second / 2)
    }

    @Test func aSweepOverFewWalletsTakesItsShortestTime() {
        var configuration = TotalsConfiguration()
        configuration.sweepRate = 10_000_000
        configuration.shortestSweep = .seconds(10)
        var sweep = TotalsSweep(configuration: configuration, now: 0)
        for round in 1...3 as ClosedRange<UInt64> {
            let isOver = sweep.advance(to: nil, wallets: 1000, now: sweep.due)
            #expect(isOver && sweep.due == round * 10 * Self.second)
        }
    }
}
