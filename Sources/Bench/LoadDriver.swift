import Ledger
import Runtime
import Synchronization

/// When a run's load begins, is measured and ends, in nanoseconds of the monotonic clock.
struct LoadWindow: Sendable {
    let start: Int64
    let measureStart: Int64
    let end: Int64

    func measures(_ time: Int64) -> Bool { time >= measureStart && time < end }
}

/// A transfer and the state it was left in, to look up at the end.
struct TransferSample: Sendable {
    let transfer: BenchTransfer
    let status: String
    let reason: String?
}

/// What one thread counted.
struct LoadCounts: Sendable {
    /// Latencies from the intended send time of operations that were meant to be sent in the measured time.
    var latency = [LatencyHistogram](repeating: LatencyHistogram(), count: BenchOperationKind.allCases.count)
    /// How late requests left, of the same operations.
    var sendLag = LatencyHistogram()
    /// Operations acknowledged within the measured time, and from its start until the last answer.
    var accepted = 0
    var acceptedInAll = 0
    /// Operations sent in the whole run.
    var sent = 0
    /// Operations whose intended time came and that never found a free connection.
    var unsent = 0
    /// Answers since the start of the measurement by `status` or `status code`.
    var answers: [String: Int] = [:]
    /// Requests without an answer in the whole run.
    var losses: [Loss: Int] = [:]
    /// Operations of unknown outcome in the whole run.
    var uncertain = 0
    /// Answers that a correct service does not give to these requests.
    var unexpected: [String: Int] = [:]
}

/// Chooses the operations of one thread, keeps its part of the books and times the answers.
struct LoadDriver: ExchangeDriver, Sendable {
    struct Ticket {
        /// One, or those of a batch in their order.
        let operations: [BenchOperation]
        let intended: Int64
    }

    private static let sampleLimit = 32

    private(set) var counts = LoadCounts()
    private(set) var tallies: [WalletTally]
    private(set) var samples: [TransferSample] = []
    /// Acknowledged transfers that wait to be resolved.
    private var pending: [BenchTransfer] = []
    private let pendingLimit: Int
    private let options: BenchOptions
    private let window: LoadWindow
    private let writer: RequestWriter
    private let progress: LoadProgress
    private var schedule: ArrivalSchedule?
    private var random: SeededGenerator
    /// Not seeded: two runs against one database must not share an id.
    private let ids = UUIDv7Generator()
    private var sampled = 0
    private var report: ProgressReport?
    private var accepted201 = 0
    private var accepted200 = 0

    init(
        options: BenchOptions, window: LoadWindow, writer: RequestWriter, progress: LoadProgress, thread: Int,
        seed: UInt64, report: ProgressReport?
    ) {
        self.options = options
        self.window = window
        self.writer = writer
        self.progress = progress
        self.report = report
        tallies = Array(repeating: WalletTally(), count: options.wallets)
        var seeds = SeededGenerator(seed: seed &+ UInt64(thread))
        random = SeededGenerator(seed: seeds.next())
        pendingLimit = max(4096, 8 * options.batch)
        pending.reserveCapacity(pendingLimit)
        if options.rate > 0 {
            let share = Double(thread) / Double(options.threads)
            schedule = ArrivalSchedule(
                options.schedule, rate: options.rate / Double(options.threads * max(1, options.batch)),
                start: window.start, offset: share, seed: seeds.next())
        }
    }

    func isOver(at now: Int64) -> Bool { now >= window.end }

    mutating func next(at now: Int64, into request: inout [UInt8]) -> Step<Ticket> {
        var intended = now
        if schedule != nil {
            intended = schedule?.next ?? now
            guard intended <= now else { return .wait(until: min(intended, window.end)) }
            schedule?.advance()
        }
        let operations = (0..<max(1, options.batch)).map { _ in choose() }
        if options.batch > 0 {
            writer.write(batch: operations, isAtomic: options.isAtomic, to: &request)
        } else {
            writer.write(operations[0], to: &request)
        }
        counts.sent += operations.count
        if window.measures(intended) { counts.sendLag.record(now - intended) }
        return .send(Ticket(operations: operations, intended: intended))
    }

    mutating func answered(_ ticket: Ticket, _ frame: ResponseFrame, _ body: Span<UInt8>, at now: Int64) -> Verdict {
        guard options.batch > 0 else {
            return answered(ticket.operations[0], frame.status, body, intended: ticket.intended, at: now)
        }
        guard frame.status == 200 else {
            // Nothing was applied of a batch that was refused as a whole.
            let code = MemberScanner.string("code", in: body)
            for operation in ticket.operations { refused(operation, frame.status, code, at: now) }
            return rests(after: frame.status)
        }
        guard let items = BatchAnswer.items(in: body), items.count == ticket.operations.count else {
            counts.unexpected["200 without a result for each operation", default: 0] += 1
            for operation in ticket.operations { doubt(operation) }
            return .ready
        }
        var verdict = Verdict.ready
        for (operation, item) in zip(ticket.operations, items) {
            let answer = body.extracting(item.bytes)
            if answered(operation, item.status, answer, intended: ticket.intended, at: now) == .rest { verdict = .rest }
        }
        return verdict
    }

    /// Takes the answer to one operation, which may be one result of a batch's.
    private mutating func answered(
        _ operation: BenchOperation, _ status: Int, _ body: Span<UInt8>, intended: Int64, at now: Int64
    ) -> Verdict {
        guard status == (operation.isCreation ? 201 : 200) else {
            refused(operation, status, MemberScanner.string("code", in: body), at: now)
            return rests(after: status)
        }
        guard let version = MemberScanner.walletVersion(in: body) else {
            counts.unexpected["\(status) without wallet.version", default: 0] += 1
            doubt(operation)
            return .ready
        }
        let transfer = operation.transfer
        tallies[Int(transfer.wallet)].acknowledge(transfer.effect(of: operation.kind), version: version)
        if let other = transfer.mirrored {
            tallies[Int(other.wallet)].acknowledge(other.effect(of: operation.kind), version: nil)
        }
        if now >= window.measureStart {
            counts.acceptedInAll += 1
            if operation.isCreation { accepted201 += 1 } else { accepted200 += 1 }
            if now < window.end { counts.accepted += 1 }
        }
        if window.measures(intended) { counts.latency[operation.kind.rawValue].record(now - intended) }
        if report != nil { report?.interval.record(now - intended) }
        progress.accepted.add(1, ordering: .relaxed)
        keep(operation)
        return .ready
    }

    mutating func lost(_ ticket: Ticket, _ loss: Loss, at now: Int64) {
        counts.losses[loss, default: 0] += 1
        progress.lost.add(1, ordering: .relaxed)
        for operation in ticket.operations { doubt(operation) }
    }

    mutating func tick(at now: Int64, inFlight: Int) {
        report?.tick(at: now, inFlight: inFlight, progress: progress)
    }

    /// Closes the counts once the exchange has ended.
    mutating func finish() {
        if accepted201 > 0 { counts.answers["201", default: 0] += accepted201 }
        if accepted200 > 0 { counts.answers["200", default: 0] += accepted200 }
        while let time = schedule?.next, time < window.end {
            counts.unsent += max(1, options.batch)
            schedule?.advance()
        }
        for transfer in pending.suffix(Self.sampleLimit / 4) {
            samples.append(TransferSample(transfer: transfer, status: "pending", reason: nil))
        }
    }

    private mutating func choose() -> BenchOperation {
        if !pending.isEmpty, pending.count >= pendingLimit || random.next() >> 63 == 0 {
            pending.swapAt(random.below(pending.count), pending.count - 1)
            var transfer = pending.removeLast()
            if let other = transfer.mirrored, random.next() >> 63 == 0 { transfer = other }
            let reverts = options.mix == .createRevert || (options.mix == .mixed && random.below(5) == 0)
            return BenchOperation(kind: reverts ? .revert : .complete, transfer: transfer)
        }
        let choice = random.next()
        let amount = Int16(choice >> 32 % 999) + 1
        var transfer = BenchTransfer(id: ids.next(), wallet: chooseWallet(), amount: amount, isDebit: choice & 1 == 0)
        if options.transfers {
            transfer.counterparty = chooseWallet(besides: transfer.wallet)
            // The answer to a new one shows the wallet that the money leaves.
            if transfer.isDebit, let other = transfer.mirrored { transfer = other }
        }
        let completesAtOnce = options.mix == .post || (options.mix == .mixed && random.below(5) == 0)
        return BenchOperation(kind: completesAtOnce ? .post : .create, transfer: transfer)
    }

    /// Any other wallet, each equally often.
    private mutating func chooseWallet(besides wallet: Int32) -> Int32 {
        let other = Int32(random.below(options.wallets - 1))
        return other < wallet ? other : other + 1
    }

    private mutating func chooseWallet() -> Int32 {
        guard options.workload == .hot, options.wallets > 1 else { return Int32(random.below(options.wallets)) }
        return random.below(10) < 9 ? 0 : Int32(1 + random.below(options.wallets - 1))
    }

    /// Keeps an acknowledged transfer to resolve it later, or one that is done with to look at in the end.
    private mutating func keep(_ operation: BenchOperation) {
        let status: String
        var reason: String?
        switch operation.kind {
        case .create:
            let staysPending = options.mix == .create || (options.mix == .mixed && random.below(20) == 0)
            guard staysPending else { return pending.append(operation.transfer) }
            status = "pending"
        case .complete, .post: status = "completed"
        case .revert:
            status = "failed"
            reason = "reverted"
        }
        sampled += 1
        let slot = samples.count < Self.sampleLimit ? samples.count : random.below(sampled)
        guard slot < Self.sampleLimit else { return }
        let sample = TransferSample(transfer: operation.transfer, status: status, reason: reason)
        if slot < samples.count { samples[slot] = sample } else { samples.append(sample) }
    }

    private mutating func refused(_ operation: BenchOperation, _ status: Int, _ code: String?, at now: Int64) {
        progress.refused.add(1, ordering: .relaxed)
        let name = code.map { "\(status) \($0.prefix(40))" } ?? "\(status)"
        if now >= window.measureStart { Self.count(name, in: &counts.answers) }
        switch (status, code) {
        case (503, "overloaded"), (503, "storage_unavailable"), (429, _):
            // Nothing was recorded, so a transfer that was to be resolved is still pending.
            if !operation.isCreation { pending.append(operation.transfer) }
        case (500..., _): doubt(operation)
        case (422, "insufficient_funds") where !options.isAtomic:
            // Recorded as a failed transfer when it carried a key: a version without money.
            if options.keys { tallies[Int(operation.transfer.wallet)].doubt(Effect()) }
        default: Self.count("\(name) to \(operation.kind.name)", in: &counts.unexpected)
        }
    }

    /// Whether the connection is to be left alone for a moment: the service asked for less.
    private func rests(after status: Int) -> Verdict {
        schedule == nil && (status >= 500 || status == 429) ? .rest : .ready
    }

    private mutating func doubt(_ operation: BenchOperation) {
        counts.uncertain += 1
        let transfer = operation.transfer
        tallies[Int(transfer.wallet)].doubt(transfer.effect(of: operation.kind))
        if let other = transfer.mirrored { tallies[Int(other.wallet)].doubt(other.effect(of: operation.kind)) }
    }

    /// Counts under the name, or under `other` once there are too many names.
    private static func count(_ name: String, in table: inout [String: Int]) {
        table[table[name] != nil || table.count < 64 ? name : "other", default: 0] += 1
    }
}
