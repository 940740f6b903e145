import Ledger

/// Reads every wallet, again and again until it has reached its target version.
struct WalletReader: ExchangeDriver {
    struct Ticket { let wallet: Int }

    private static let pause: Int64 = 5_000_000

    /// The newest statement of each wallet; nil where none was given.
    private(set) var statements: [WalletStatement?]
    /// Wallets that are not at their target yet.
    private(set) var remaining: Int
    /// When the last wallet reached its target; the deadline when it did not.
    private(set) var finishedAt: Int64
    private let targets: [Int64]
    private let isStrong: Bool
    private let writer: RequestWriter
    private let deadline: Int64
    private var unasked = 0
    /// Wallets behind their target and when to ask again; they come before those not asked yet, so that a backlog is
    /// watched with few requests.
    private var waiting: [(wallet: Int, time: Int64)] = []
    private var hasExpired = false

    init(targets: [Int64], isStrong: Bool, writer: RequestWriter, deadline: Int64) {
        self.targets = targets
        self.isStrong = isStrong
        self.writer = writer
        self.deadline = deadline
        statements = Array(repeating: nil, count: targets.count)
        remaining = targets.count
        finishedAt = deadline
    }

    func isOver(at now: Int64) -> Bool { remaining == 0 || now >= deadline }

    mutating func next(at now: Int64, into request: inout [UInt8]) -> Step<Ticket> {
        let wallet: Int
        if let head = waiting.first {
            guard head.time <= now else { return .wait(until: head.time) }
            wallet = head.wallet
            waiting.removeFirst()
        } else if unasked < targets.count {
            wallet = unasked
            unasked += 1
        } else {
            return .wait(until: .max)
        }
        writer.writeRead(ofWallet: wallet, isStrong: isStrong, to: &request)
        return .send(Ticket(wallet: wallet))
    }

    mutating func answered(_ ticket: Ticket, _ frame: ResponseFrame, _ body: Span<UInt8>, at now: Int64) -> Verdict {
        var isThere = false
        if frame.status == 200, isStrong || frame.source != .ledger, let statement = WalletStatement(body: body) {
            statements[ticket.wallet] = statement
            isThere = statement.version >= targets[ticket.wallet]
        } else if frame.status == 404, isStrong {
            isThere = true
        }
        guard isThere else {
            waiting.append((ticket.wallet, now + Self.pause))
            return .ready
        }
        remaining -= 1
        if remaining == 0 { finishedAt = now }
        return .ready
    }

    mutating func lost(_ ticket: Ticket, _ loss: Loss, at now: Int64) {
        waiting.append((ticket.wallet, now + Self.pause))
    }

    mutating func tick(at now: Int64, inFlight: Int) {}
}

/// Looks up sampled transfers and compares them with what was answered when they were made.
struct TransferReader: ExchangeDriver {
    struct Ticket { let sample: Int }

    private(set) var differences: [String] = []
    private let samples: [TransferSample]
    private let isStrong: Bool
    private let writer: RequestWriter
    private let deadline: Int64
    private var queue: [Int]
    private var remaining: Int

    init(samples: [TransferSample], isStrong: Bool, writer: RequestWriter, deadline: Int64) {
        self.samples = samples
        self.isStrong = isStrong
        self.writer = writer
        self.deadline = deadline
        queue = Array(samples.indices)
        remaining = samples.count
    }

    /// Samples that got no answer before the deadline.
    var unread: Int { remaining }

    func isOver(at now: Int64) -> Bool { remaining == 0 || now >= deadline }

    mutating func next(at now: Int64, into request: inout [UInt8]) -> Step<Ticket> {
        guard let index = queue.popLast() else { return .wait(until: .max) }
        let transfer = samples[index].transfer
        writer.writeRead(
            ofWallet: Int(transfer.wallet), transfer: transfer.id, isStrong: isStrong, to: &request)
        return .send(Ticket(sample: index))
    }

    mutating func answered(_ ticket: Ticket, _ frame: ResponseFrame, _ body: Span<UInt8>, at now: Int64) -> Verdict {
        guard frame.status < 500, frame.status != 429 else {
            queue.append(ticket.sample)
            return .rest
        }
        remaining -= 1
        let sample = samples[ticket.sample]
        var found: [String] = []
        func compare(_ name: String, _ actual: String?, _ expected: String?) {
            if actual != expected { found.append("\(name) is \(actual ?? "null"), expected \(expected ?? "null")") }
        }
        if frame.status == 200 {
            compare("status", MemberScanner.string("status", in: body), sample.status)
            compare("reason", MemberScanner.string("reason", in: body), sample.reason)
            compare("amount", MemberScanner.string("amount", in: body), BookCheck.money(Int64(sample.transfer.amount)))
            let direction = sample.transfer.isDebit ? "debit" : "credit"
            compare("direction", MemberScanner.string("direction", in: body), direction)
            compare(
                "counterparty_wallet_id", MemberScanner.string("counterparty_wallet_id", in: body),
                sample.transfer.counterparty.map { writer.walletText(Int($0)) })
        } else {
            found.append("is answered with \(frame.status)")
        }
        let side = isStrong ? "ledger" : "projection"
        let wallet = writer.walletText(Int(sample.transfer.wallet))
        differences += found.map { "wallet \(wallet), transfer \(sample.transfer.id.text), \(side): \($0)" }
        return .ready
    }

    mutating func lost(_ ticket: Ticket, _ loss: Loss, at now: Int64) { queue.append(ticket.sample) }

    mutating func tick(at now: Int64, inFlight: Int) {}
}
