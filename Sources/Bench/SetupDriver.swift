/// Creates the wallets of a run.
struct SetupDriver: ExchangeDriver {
    struct Ticket { let wallet: Int }

    /// What made the creation give up.
    private(set) var failure: String?
    private(set) var created = 0
    private let count: Int
    private let asset: String
    private let balance: String
    private let writer: RequestWriter
    private let deadline: Int64
    private let firstAnswerBy: Int64
    private var unasked = 0
    private var hasAnswer = false
    /// Wallets to ask for again, because an earlier answer was lost or refused for the moment.
    private var again: [Int] = []
    private var repeated: Set<Int> = []

    /// Gives up at `deadline`, or at `firstAnswerBy` when nothing has answered by then.
    init(
        count: Int, asset: String, balance: String, writer: RequestWriter, firstAnswerBy: Int64, deadline: Int64
    ) {
        self.count = count
        self.asset = asset
        self.balance = balance
        self.writer = writer
        self.firstAnswerBy = firstAnswerBy
        self.deadline = deadline
    }

    func isOver(at now: Int64) -> Bool { created == count || failure != nil }

    mutating func next(at now: Int64, into request: inout [UInt8]) -> Step<Ticket> {
        let wallet: Int
        if let repeatable = again.popLast() {
            wallet = repeatable
        } else if unasked < count {
            wallet = unasked
            unasked += 1
        } else {
            return .wait(until: .max)
        }
        writer.writeCreation(ofWallet: wallet, asset: asset, balance: balance, to: &request)
        return .send(Ticket(wallet: wallet))
    }

    mutating func answered(_ ticket: Ticket, _ frame: ResponseFrame, _ body: Span<UInt8>, at now: Int64) -> Verdict {
        hasAnswer = true
        switch frame.status {
        case 201:
            created += 1
            let version = MemberScanner.integer("version", in: body)
            if version != BookCheck.firstVersion {
                let name = version.map { String($0) } ?? "none"
                failure = "a new wallet must have version \(BookCheck.firstVersion), answered was \(name)"
            }
        case 409 where repeated.contains(ticket.wallet): created += 1
        case 429, 500...:
            again.append(ticket.wallet)
            repeated.insert(ticket.wallet)
            return .rest
        default:
            let code = MemberScanner.string("code", in: body) ?? "no code"
            let detail = MemberScanner.string("detail", in: body) ?? ""
            failure = "creating a wallet was answered with \(frame.status) \(code) \(detail)"
        }
        return .ready
    }

    mutating func lost(_ ticket: Ticket, _ loss: Loss, at now: Int64) {
        again.append(ticket.wallet)
        repeated.insert(ticket.wallet)
    }

    mutating func tick(at now: Int64, inFlight: Int) {
        if !hasAnswer, now >= firstAnswerBy { failure = failure ?? "nothing answers there" }
        if now >= deadline { failure = failure ?? "only \(created) of \(count) wallets were created in time" }
    }
}
