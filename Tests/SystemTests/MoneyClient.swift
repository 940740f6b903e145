import Foundation
import JSON
import Synchronization
import TestSupport

/// What all clients of a run share.
final class MoneyWorld: Sendable {
    private struct State {
        /// Pending transfers, and completed ones that can be reversed.
        var open: [KnownTransfer] = []
        var settled: [KnownTransfer] = []
        var isOver = false
        var done: [Int]
        var records: [MoneyRecord] = []
        var complaints: [String] = []
        var failures: [String: Int] = [:]
    }

    let wallets: [String]
    let ports: [UInt16]
    private let state: Mutex<State>

    init(wallets: [String], ports: [UInt16], clients: Int) {
        self.wallets = wallets
        self.ports = ports
        state = Mutex(State(done: Array(repeating: 0, count: clients)))
    }

    var isOver: Bool { state.withLock { $0.isOver } }
    /// Lets every client end after what it has at hand.
    func end() { state.withLock { $0.isOver = true } }
    /// How many commands each client has brought to an end.
    var done: [Int] { state.withLock { $0.done } }
    var records: [MoneyRecord] { state.withLock { $0.records } }
    var complaints: [String] { state.withLock { $0.complaints } }
    /// How often there was no definite answer, by cause.
    var failures: [String: Int] { state.withLock { $0.failures } }

    func note(_ record: MoneyRecord, by client: Int) {
        state.withLock { state in
            state.records.append(record)
            state.done[client] += 1
        }
    }

    func complain(_ text: String) { state.withLock { $0.complaints.append(text) } }
    func count(_ failure: String) { state.withLock { $0.failures[failure, default: 0] += 1 } }
    func add(_ transfer: KnownTransfer) { state.withLock { $0.open.append(transfer) } }

    /// Takes what is not pending any more; one that was completed may be reversed from now on.
    func remove(_ id: String, completed: Int? = nil) {
        state.withLock { state in
            guard let index = state.open.firstIndex(where: { $0.id == id }) else { return }
            let known = state.open.remove(at: index)
            guard let completed else { return }
            state.settled.append(
                KnownTransfer(wallet: known.wallet, other: known.other, id: known.id, cents: completed))
        }
    }

    func settle(_ transfer: KnownTransfer) {
        state.withLock { state in
            state.settled.append(transfer)
            if state.settled.count > 400 { state.settled.removeFirst(200) }
        }
    }

    /// One that may be resolved by others at the same moment.
    func pickOpen(_ random: inout TestRandom) -> KnownTransfer? {
        state.withLock { $0.open.isEmpty ? nil : $0.open[random.below($0.open.count)] }
    }

    /// One that may be reversed by others at the same moment.
    func pickSettled(_ random: inout TestRandom) -> KnownTransfer? {
        state.withLock { $0.settled.isEmpty ? nil : $0.settled[random.below($0.settled.count)] }
    }
}

/// One client: does random things, remembers each answer, and repeats what has no definite one with the same key.
final class MoneyClient {
    private let number: Int
    private let world: MoneyWorld
    private var random: TestRandom
    private var connections: [HTTPConnection]
    private var plan: MoneyPlan
    private var own: [MoneyRecord] = []

    init(_ number: Int, seed: UInt64, in world: MoneyWorld) {
        self.number = number
        self.world = world
        random = TestRandom(seed: seed &+ UInt64(number) &* 0x9E37_79B9)
        plan = MoneyPlan(number, in: world)
        connections = world.ports.map { HTTPConnection(port: $0) }
    }

    /// Works until the world ends.
    func run() {
        while !world.isOver { step() }
    }

    /// One command with all its repeats.
    func step() {
        if random.below(20) == 0, let earlier = own.randomElement(using: &random) { return repeatEarlier(earlier) }
        let command = plan.next(&random, available: allMoney)
        finish(random.below(7) == 0 ? performTwice(command) : perform(command))
        // A frozen wallet stays so only until its client had its answer.
        if case .amend = command.kind {
            finish(perform(MoneyCommand(kind: .amend(status: "active"), wallet: command.wallet, key: plan.newKey())))
        }
    }

    private func finish(_ record: MoneyRecord?) {
        guard let record else { return }
        if case .batch(_, isAtomic: false) = record.command.kind, !record.isSuccess {
            world.complain("refused as a whole: \(record.command) \(record.answer.summary)")
        }
        for effect in record.effects { follow(effect) }
        own.append(record)
        world.note(record, by: number)
    }

    /// What can be taken out of a wallet now, as far as one can know.
    private func allMoney(of wallet: String) -> Int {
        let answer = try? connections[0].exchange(.get("/v1/wallet/\(wallet)?consistency=strong"))
        return max(1, Euros.cents(answer?.json["available"]?.string) ?? 1)
    }

    /// Keeps track of what is pending and what was settled.
    private func follow(_ record: MoneyRecord) {
        guard !record.isDropped else { return }
        let id = record.answer.json["id"]?.string ?? ""
        let wallet = record.command.wallet
        switch (record.command.kind, record.answer.status) {
        case (.debit(let cents, let isPending), 201), (.credit(let cents, let isPending), 201):
            follow(KnownTransfer(wallet: wallet, other: nil, id: id, cents: cents), isPending, record)
        case (.transfer(let other, let cents, let isPending), 201):
            follow(KnownTransfer(wallet: wallet, other: other, id: id, cents: cents), isPending, record)
        case (.complete, 200):
            world.remove(id, completed: Euros.cents(record.answer.json["completed_amount"]?.string))
        case (.complete, 400...499), (.revert, 200...499): world.remove(record.command.transfer ?? "")
        default: break
        }
    }

    private func follow(_ transfer: KnownTransfer, _ isPending: Bool, _ record: MoneyRecord) {
        guard isPending else { return world.settle(transfer) }
        // Nobody touches those with the shortest time: they run out. For the others that is a race.
        if let seconds = record.command.expiresIn, seconds <= 2 { return }
        world.add(transfer)
    }

    /// Sends a command until there is a definite answer; nil when the patience is at its end.
    func perform(_ command: MoneyCommand) -> MoneyRecord? {
        let end = ContinuousClock.now + .seconds(90)
        var attempts = 0
        while ContinuousClock.now < end {
            let connection = connections[random.below(connections.count)]
            attempts += 1
            if let answer = attempt(connection, { (it) throws(HTTPFailure) in try it.exchange(command.request) }) {
                return MoneyRecord(command: command, answer: answer, attempts: attempts)
            }
            Attempts.pause()
        }
        world.complain("client \(number): no definite answer to \(command) after \(attempts) attempts")
        return nil
    }

    /// Sends a command over all connections at the same moment: one effect, and one answer.
    private func performTwice(_ command: MoneyCommand) -> MoneyRecord? {
        var waiting: [HTTPConnection] = []
        for connection in connections
        where attempt(connection, { (it) throws(HTTPFailure) in try it.send(command.request) }) != nil {
            waiting.append(connection)
        }
        let answers = waiting.compactMap { connection in
            attempt(connection) { (it) throws(HTTPFailure) in try it.receive() }
        }
        guard let record = perform(command) else { return nil }
        for answer in answers where command.key != nil || answer.status < 300 && record.isSuccess {
            check(answer, against: record, "at the same moment")
        }
        return MoneyRecord(command: command, answer: record.answer, attempts: record.attempts + connections.count)
    }

    private func repeatEarlier(_ earlier: MoneyRecord) {
        guard earlier.command.key != nil || earlier.isSuccess, let again = perform(earlier.command) else { return }
        check(again.answer, against: earlier, "later")
        if !again.answer.isReplay { world.complain("no Idempotent-Replayed: \(earlier.command)") }
    }

    private func check(_ answer: HTTPAnswer, against record: MoneyRecord, _ moment: String) {
        guard answer.status != record.answer.status || answer.content != record.answer.content else { return }
        world.complain(
            "\(moment) another answer to \(record.command): \(record.answer.summary) and \(answer.summary)")
    }

    /// Nil when there is no definite outcome; complains about what must never happen.
    private func attempt<T>(
        _ connection: HTTPConnection, _ body: (HTTPConnection) throws(HTTPFailure) -> T
    ) -> T? {
        do throws(HTTPFailure) {
            let result = try body(connection)
            guard let answer = result as? HTTPAnswer else { return result }
            return isDefinite(answer) ? result : nil
        } catch {
            world.count("\(error)")
            switch error {
            case .silent: world.complain("no answer in 30 s from port \(connection.port)")
            case .garbled(let what): world.complain("garbled: \(what)")
            case .refused, .lost, .closed: break
            }
            connection.close()
            return nil
        }
    }

    private func isDefinite(_ answer: HTTPAnswer) -> Bool {
        guard !answer.isDefinite else { return true }
        if answer.status == 200 {
            world.count("200 with operations to repeat")
            return false
        }
        let code = answer.code ?? "no code"
        world.count("\(answer.status) \(code)")
        let known = ["overloaded", "storage_unavailable", "outcome_unknown"]
        if answer.status != 503 || !known.contains(code) || answer.header("Retry-After") == nil {
            world.complain("must never be said: \(answer.summary)")
        }
        return false
    }
}

extension UUID {
    /// A random UUID out of a seeded sequence.
    static func seeded(_ random: inout TestRandom) -> UUID {
        var bytes = (random.next(), random.next())
        return withUnsafeBytes(of: &bytes) { raw in
            var uuid = raw.loadUnaligned(as: uuid_t.self)
            uuid.6 = uuid.6 & 0x0f | 0x40
            uuid.8 = uuid.8 & 0x3f | 0x80
            return UUID(uuid: uuid)
        }
    }
}
