/// What the generator was told about one wallet.
struct WalletTally: Sendable {
    /// The sums of all acknowledged effects.
    var acknowledged = Effect()
    /// How far effects of unknown outcome may move each sum down and up.
    var uncertainLow = Effect()
    var uncertainHigh = Effect()
    /// Acknowledged operations; each makes one version.
    var changes: Int64 = 0
    /// Operations that may have made a version without our knowing: of unknown outcome, or refused but recorded.
    var uncertainChanges: Int64 = 0
    /// Those of them whose version no answer named: the other wallet's of a transfer between two.
    var unnamedChanges: Int64 = 0
    /// The highest version an answer named, and the sum of all (modulo 2^64).
    var newestVersion: Int64 = 0
    var versionSum: UInt64 = 0

    /// The version that the wallet has at least, as far as answers tell.
    var reached: Int64 {
        let counted = unnamedChanges > 0 ? BookCheck.firstVersion + changes : BookCheck.firstVersion
        return max(counted, newestVersion)
    }

    /// `version` is nil where the answer was about another wallet.
    mutating func acknowledge(_ effect: Effect, version: Int64?) {
        acknowledged += effect
        changes += 1
        guard let version else {
            unnamedChanges += 1
            return
        }
        newestVersion = max(newestVersion, version)
        versionSum &+= UInt64(bitPattern: version)
    }

    mutating func doubt(_ effect: Effect) {
        uncertainLow += effect.lowering
        uncertainHigh += effect.raising
        uncertainChanges += 1
    }

    mutating func merge(_ other: Self) {
        acknowledged += other.acknowledged
        uncertainLow += other.uncertainLow
        uncertainHigh += other.uncertainHigh
        changes += other.changes
        unnamedChanges += other.unnamedChanges
        uncertainChanges += other.uncertainChanges
        newestVersion = max(newestVersion, other.newestVersion)
        versionSum &+= other.versionSum
    }
}

/// A wallet as an answer of the service states it.
struct WalletStatement: Equatable, Sendable {
    var sums: Effect
    var available: Int64
    var version: Int64

    init(sums: Effect, available: Int64, version: Int64) {
        self.sums = sums
        self.available = available
        self.version = version
    }

    /// Nil when a member is missing or of the wrong form.
    init?(body: Span<UInt8>) {
        guard let balance = MemberScanner.cents("balance", in: body),
            let pendingDebit = MemberScanner.cents("pending_debit", in: body),
            let pendingCredit = MemberScanner.cents("pending_credit", in: body),
            let available = MemberScanner.cents("available", in: body),
            let version = MemberScanner.integer("version", in: body)
        else { return nil }
        sums = Effect(balance: balance, pendingDebit: pendingDebit, pendingCredit: pendingCredit)
        self.available = available
        self.version = version
    }
}

/// Compares what the generator was told with what the service says.
enum BookCheck {
    /// The version of a wallet that was created with money and not touched since.
    static let firstVersion: Int64 = 1

    /// The differences between a wallet's tally and its statement, each with both numbers; empty when they agree.
    static func differences(
        _ tally: WalletTally, _ statement: WalletStatement, openingBalance: Int64
    ) -> [String] {
        var found: [String] = []
        func compare(_ name: String, _ actual: Int64, _ low: Int64, _ high: Int64, isMoney: Bool = true) {
            guard actual < low || actual > high else { return }
            let show = isMoney ? money : { String($0) }
            let expected = low == high ? show(low) : "\(show(low)) to \(show(high))"
            found.append("\(name) is \(show(actual)), expected \(expected)")
        }
        let expected = tally.acknowledged + Effect(balance: openingBalance)
        let low = expected + tally.uncertainLow
        let high = expected + tally.uncertainHigh
        let sums = statement.sums
        compare("balance", sums.balance, low.balance, high.balance)
        compare("pending_debit", sums.pendingDebit, low.pendingDebit, high.pendingDebit)
        compare("pending_credit", sums.pendingCredit, low.pendingCredit, high.pendingCredit)
        let available = sums.balance - sums.pendingCredit
        compare("available", statement.available, available, available)
        let version = firstVersion + tally.changes
        compare("version", statement.version, version, version + tally.uncertainChanges, isMoney: false)
        if tally.newestVersion > statement.version {
            found.append("version is \(statement.version), but \(tally.newestVersion) was answered before")
        }
        if tally.uncertainChanges == 0, tally.unnamedChanges == 0, tally.versionSum != sumOfVersions(through: version) {
            found.append("the answers did not name each version from \(firstVersion + 1) to \(version) once")
        }
        return found
    }

    /// What is wrong with the sums over all wallets when money only moved between them; empty when nothing is.
    static func differences(inAll statements: [WalletStatement], openingBalance: Int64) -> [String] {
        let sums = statements.reduce(into: Effect()) { $0 += $1.sums }
        let opened = openingBalance * Int64(statements.count)
        var found: [String] = []
        if sums.balance != opened {
            found.append("the balances of all wallets sum up to \(money(sums.balance)), not to \(money(opened))")
        }
        if sums.pendingDebit != sums.pendingCredit {
            found.append(
                "of all wallets \(money(sums.pendingDebit)) are announced and \(money(sums.pendingCredit)) reserved")
        }
        return found
    }

    /// The sum of all versions after the first, modulo 2^64.
    static func sumOfVersions(through version: Int64) -> UInt64 {
        let last = UInt64(bitPattern: version)
        let product = last % 2 == 0 ? (last / 2) &* (last &+ 1) : last &* ((last &+ 1) / 2)
        return product &- UInt64(bitPattern: firstVersion)
    }

    /// Minor units as decimal text.
    static func money(_ cents: Int64) -> String {
        let digits = cents.magnitude % 100
        return "\(cents < 0 ? "-" : "")\(cents.magnitude / 100).\(digits < 10 ? "0" : "")\(digits)"
    }
}
