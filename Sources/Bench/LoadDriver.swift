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

/// Counters that all sending threads add to, for the line of progress.
final class LoadProgress: Sendable {
    let accepted = Atomic<Int>(0)
    let refused = Atomic<Int>(0)
    let lost = Atomic<Int>(0)
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
    /// Requests sent in the whole run.
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
        let kind: BenchOperationKind
        let transfer: BenchTransfer
        let intended: Int64
    }

    private static let sampleLimit = 32
    private static let pendingLimit = 4096

    private(set) var counts = LoadCounts()
    private(set) var tallies: [WalletTally]
    private(set) var samples: [TransferSample] = []
    /// Acknowledged transfers that wait to be resolved.
    private var pending: [BenchTransfer] = []
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
        pending.reserveCapacity(Self.pendingLimit)
        if options.rate > 0 {
            let share = Double(thread) / Double(options.threads)
            schedule = ArrivalSchedule(
                options.schedule, rate: options.rate / Double(options.threads), start: window.start, offset: share,
                seed: seeds.next())
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
        let (kind, transfer) = choose()
        writer.write(kind, transfer, to: &request)
        counts.sent += 1
        if window.measures(intended) { counts.sendLag.record(now - intended) }
        return .send(Ticket(kind: kind, transfer: transfer, intended: intended))
    }

    mutating func answered(_ ticket: Ticket, _ frame: ResponseFrame, _ body: Span<UInt8>, at now: Int64) -> Verdict {
        let isCreation = ticket.kind == .create || ticket.kind == .transfer
        guard frame.status == (isCreation ? 201 : 200) else {
            return refused(ticket, frame.status, MemberScanner.string("code", in: body), at: now)
        }
        let wallet = Int(ticket.transfer.wallet)
        guard let version = MemberScanner.walletVersion(in: body) else {
            counts.unexpected["\(frame.status) without wallet.version", default: 0] += 1
            doubt(ticket)
            return .ready
        }
        tallies[wallet].acknowledge(ticket.transfer.effect(of: ticket.kind), version: version)
        if now >= window.measureStart {
            counts.acceptedInAll += 1
            if isCreation { accepted201 += 1 } else { accepted200 += 1 }
            if now < window.end { counts.accepted += 1 }
        }
        if window.measures(ticket.intended) { counts.latency[ticket.kind.rawValue].record(now - ticket.intended) }
        if report != nil { report?.interval.record(now - ticket.intended) }
        progress.accepted.add(1, ordering: .relaxed)
        keep(ticket)
        return .ready
    }

    mutating func lost(_ ticket: Ticket, _ loss: Loss, at now: Int64) {
        counts.losses[loss, default: 0] += 1
        progress.lost.add(1, ordering: .relaxed)
        doubt(ticket)
    }

    mutating func tick(at now: Int64, inFlight: Int) {
        report?.tick(at: now, inFlight: inFlight, progress: progress)
    }

    /// Closes the counts once the exchange has ended.
    mutating func finish() {
        if accepted201 > 0 { counts.answers["201", default: 0] += accepted201 }
        if accepted200 > 0 { counts.answers["200", default: 0] += accepted200 }
        while let time = schedule?.next, time < window.end {
            counts.unsent += 1
            schedule?.advance()
        }
        for transfer in pending.suffix(Self.sampleLimit / 4) {
            samples.append(TransferSample(transfer: transfer, status: "pending", reason: nil))
        }
    }

    private mutating func choose() -> (BenchOperationKind, BenchTransfer) {
        if !pending.isEmpty, pending.count >= Self.pendingLimit || random.next() >> 63 == 0 {
            pending.swapAt(random.below(pending.count), pending.count - 1)
            let transfer = pending.removeLast()
            let reverts = options.mix == .createRevert || (options.mix == .mixed && random.below(5) == 0)
            return (reverts ? .revert : .complete, transfer)
        }
        let choice = random.next()
        let transfer = BenchTransfer(
            id: ids.next(), wallet: chooseWallet(), amount: Int16(choice >> 32 % 999) + 1, isDebit: choice & 1 == 0)
        let completesAtOnce = options.mix == .mixed && random.below(5) == 0
        return (completesAtOnce ? .transfer : .create, transfer)
    }

    private mutating func chooseWallet() -> Int32 {
        guard options.workload == .hot, options.wallets > 1 else { return Int32(random.below(options.wallets)) }
        return random.below(10) < 9 ? 0 : Int32(1 + random.below(options.wallets - 1))
    }

    /// Keeps an acknowledged transfer to resolve it later, or one that is done with to look at in the end.
    private mutating func keep(_ ticket: Ticket) {
        let status: String
        var reason: String?
        switch ticket.kind {
        case .create:
            let staysPending = options.mix == .create || (options.mix == .mixed && random.below(20) == 0)
            guard staysPending else { return pending.append(ticket.transfer) }
            status = "pending"
        case .complete, .transfer: status = "completed"
        case .revert:
            status = "failed"
            reason = "reverted"
        }
        sampled += 1
        let slot = samples.count < Self.sampleLimit ? samples.count : random.below(sampled)
        guard slot < Self.sampleLimit else { return }
        let sample = TransferSample(transfer: ticket.transfer, status: status, reason: reason)
        if slot < samples.count { samples[slot] = sample } else { samples.append(sample) }
    }

    private mutating func refused(_ ticket: Ticket, _ status: Int, _ code: String?, at now: Int64) -> Verdict {
        progress.refused.add(1, ordering: .relaxed)
        let name = code.map { "\(status) \($0.prefix(40))" } ?? "\(status)"
        if now >= window.measureStart { Self.count(name, in: &counts.answers) }
        switch (status, code) {
        case (503, "overloaded"), (503, "storage_unavailable"), (429, _):
            // Nothing was recorded, so a transfer that was to be resolved is still pending.
            if ticket.kind == .complete || ticket.kind == .revert { pending.append(ticket.transfer) }
        case (500..., _): doubt(ticket)
        case (422, "insufficient_funds"):
            // Recorded as a failed transfer when it carried a key: a version without money.
            if options.keys { tallies[Int(ticket.transfer.wallet)].doubt(Effect()) }
        default: Self.count("\(name) to \(ticket.kind.name)", in: &counts.unexpected)
        }
        return schedule == nil && (status >= 500 || status == 429) ? .rest : .ready
    }

    private mutating func doubt(_ ticket: Ticket) {
        counts.uncertain += 1
        tallies[Int(ticket.transfer.wallet)].doubt(ticket.transfer.effect(of: ticket.kind))
    }

    /// Counts under the name, or under `other` once there are too many names.
    private static func count(_ name: String, in table: inout [String: Int]) {
        table[table[name] != nil || table.count < 64 ? name : "other", default: 0] += 1
    }
}

/// The line of each second, printed by the first sending thread.
struct ProgressReport: Sendable {
    /// Latencies of this thread's answers since the last line.
    var interval = LatencyHistogram()
    private let output: @Sendable (String) -> Void
    private let start: Int64
    private var next: Int64
    private var last = (accepted: 0, refused: 0, lost: 0)

    init(start: Int64, output: @escaping @Sendable (String) -> Void) {
        self.start = start
        self.output = output
        next = start + 1_000_000_000
    }

    mutating func tick(at now: Int64, inFlight: Int, progress: LoadProgress) {
        guard now >= next else { return }
        let seconds = Double(now - next + 1_000_000_000) / 1e9
        next = now + 1_000_000_000
        let total = (
            accepted: progress.accepted.load(ordering: .relaxed), refused: progress.refused.load(ordering: .relaxed),
            lost: progress.lost.load(ordering: .relaxed)
        )
        output(
            """
            \((now - start) / 1_000_000_000) s  accepted \(Int(Double(total.accepted - last.accepted) / seconds))/s  \
            p50 \(BenchReport.milliseconds(interval.percentile(0.5))) ms  \
            p99 \(BenchReport.milliseconds(interval.percentile(0.99))) ms  refused \(total.refused - last.refused)  \
            lost \(total.lost - last.lost)  in flight \(inFlight)
            """)
        last = total
        interval.reset()
    }
}
