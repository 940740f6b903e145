internal import Glibc
internal import Runtime

/// Random numbers that can be had again: the seed is printed, and `WALLET_TEST_SEED` sets it.
public struct TestRandom: RandomNumberGenerator, Sendable {
    /// What the sequence follows from.
    public let seed: UInt64
    private var generator: SeededRandom

    /// A sequence from a seed of one's own.
    public init(seed: UInt64) {
        self.seed = seed
        generator = SeededRandom(seed: seed)
    }

    /// A sequence from `WALLET_TEST_SEED` or from a new seed; prints it under the test's name.
    public init(_ test: String = #function) {
        let chosen = getenv("WALLET_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        self.init(seed: chosen ?? UInt64.random(in: 0...UInt64(UInt32.max)))
        print("\(test): WALLET_TEST_SEED=\(seed)")
    }

    /// The next 64 bits.
    public mutating func next() -> UInt64 { generator.next() }

    /// A number of either sign with a random count of binary digits, so that small and huge ones are equally likely.
    public mutating func nextInt128() -> Int128 {
        let bits = UInt128(next()) << 64 | UInt128(next())
        return Int128(truncatingIfNeeded: bits) >> Int128(next() % 128)
    }

    /// A number below a bound above zero.
    public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
