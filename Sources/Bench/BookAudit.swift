/// The end of a run: waits for the projections and compares the books.
struct BookAudit {
    private static let connections = 16

    private let site: BenchSite
    private let result: LoadResult
    private let timeout: Int64

    init(site: BenchSite, result: LoadResult) {
        self.site = site
        self.result = result
        timeout = LoadGenerator.nanoseconds(site.options.timeout)
    }

    func run(into report: inout BenchReport) {
        let targets = result.tallies.map(\.reached)
        let projection = read(targets: targets, isStrong: false)
        let started = result.window.measureStart
        report.caughtUp = projection.remaining == 0
        report.projectedSeconds = Double(projection.finishedAt - started) / 1e9
        report.projected = max(0, result.counts.acceptedInAll - missing(targets, projection))
        if !report.caughtUp {
            report.find("the projections of \(projection.remaining) wallets did not catch up in time")
        }
        guard site.options.check else { return }
        checkWallets(targets, projection, into: &report)
        checkTransfers(into: &report)
    }

    /// How many acknowledged versions the projections do not show.
    private func missing(_ targets: [Int64], _ reader: WalletReader) -> Int {
        var sum: Int64 = 0
        for (target, statement) in zip(targets, reader.statements) {
            sum += max(0, target - (statement?.version ?? 0))
        }
        return Int(sum)
    }

    private func read(targets: [Int64], isStrong: Bool) -> WalletReader {
        let deadline = monotonicNow() + LoadGenerator.nanoseconds(site.options.catchUpTimeout)
        let driver = WalletReader(targets: targets, isStrong: isStrong, writer: site.writer, deadline: deadline)
        var exchange = Exchange(
            driver: driver, addresses: site.addresses, connections: Self.connections, timeout: timeout)
        return exchange.run()
    }

    private func checkWallets(_ targets: [Int64], _ first: WalletReader, into report: inout BenchReport) {
        let ledger = settledLedger(targets.map { _ in 0 }, into: &report)
        var projection = first.statements
        // Operations of unknown outcome may have reached the ledger after the first look at the projections.
        let isBehind = zip(projection, ledger).contains { ($0?.version ?? 0) < ($1?.version ?? 0) }
        if isBehind { projection = read(targets: ledger.map { $0?.version ?? 0 }, isStrong: false).statements }
        for (index, tally) in result.tallies.enumerated() {
            let name = "wallet \(site.writer.walletText(index))"
            guard let statement = ledger[index] else {
                report.find("\(name): the ledger does not show it")
                continue
            }
            let differences = BookCheck.differences(
                tally, statement, openingBalance: LoadGenerator.openingBalance)
            for difference in differences { report.find("\(name), ledger: \(difference)") }
            report.walletsChecked += 1
            guard let shown = projection[index] else {
                report.find("\(name): the projection does not show it")
                continue
            }
            if shown == statement { continue }
            let isLate = tally.uncertainChanges > 0 && shown.version != statement.version
            let found =
                isLate
                ? BookCheck.differences(tally, shown, openingBalance: LoadGenerator.openingBalance)
                : ["is \(Self.words(shown)), the ledger \(Self.words(statement))"]
            for difference in found { report.find("\(name), projection: \(difference)") }
        }
    }

    /// The wallets on the write side. Where money only moved between them its sum is checked, too: operations of
    /// unknown outcome may still be under way at the first look.
    private func settledLedger(_ targets: [Int64], into report: inout BenchReport) -> [WalletStatement?] {
        let deadline = monotonicNow() + LoadGenerator.nanoseconds(site.options.catchUpTimeout)
        while true {
            let statements = read(targets: targets, isStrong: true).statements
            guard site.options.transfers else { return statements }
            let differences = BookCheck.differences(
                inAll: statements.compactMap(\.self), openingBalance: LoadGenerator.openingBalance)
            if differences.isEmpty || result.counts.uncertain == 0 || monotonicNow() >= deadline {
                for difference in differences { report.find(difference) }
                return statements
            }
        }
    }

    private func checkTransfers(into report: inout BenchReport) {
        for isStrong in [true, false] {
            let deadline = monotonicNow() + LoadGenerator.nanoseconds(site.options.catchUpTimeout)
            let driver = TransferReader(
                samples: result.samples, isStrong: isStrong, writer: site.writer, deadline: deadline)
            var exchange = Exchange(
                driver: driver, addresses: site.addresses, connections: Self.connections, timeout: timeout)
            let ended = exchange.run()
            for difference in ended.differences { report.find(difference) }
            if ended.unread > 0 { report.find("\(ended.unread) sampled transfers could not be read") }
        }
        report.transfersChecked = result.samples.count
    }

    private static func words(_ statement: WalletStatement) -> String {
        let sums = statement.sums
        return """
            at version \(statement.version) with balance \(BookCheck.money(sums.balance)), pending debit \
            \(BookCheck.money(sums.pendingDebit)), pending credit \(BookCheck.money(sums.pendingCredit)), available \
            \(BookCheck.money(statement.available))
            """
    }
}
