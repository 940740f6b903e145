import Glibc

/// Why a request that was sent has no usable answer.
enum Loss: String, Sendable, CaseIterable {
    /// The connection ended before the answer.
    case connectionEnded = "connection_ended"
    /// No answer within the limit.
    case timedOut = "timed_out"
    /// The bytes received are no answer.
    case malformed = "malformed_answer"
}

/// What a driver wants of a free connection.
enum Step<Ticket> {
    /// Send the request that was written; its outcome is reported with the ticket.
    case send(Ticket)
    /// Nothing to send before that time.
    case wait(until: Int64)
}

/// What to do with the connection after an answer.
enum Verdict {
    case ready
    /// Leave it alone for a moment: the service asked for less.
    case rest
}

/// Decides what is sent and takes the outcomes. Each sent request is reported exactly once.
protocol ExchangeDriver {
    associatedtype Ticket

    /// Whether no more requests will be sent; the exchange then waits for those in flight and ends.
    func isOver(at now: Int64) -> Bool
    /// Writes the next request into `request`, or says when to ask again.
    mutating func next(at now: Int64, into request: inout [UInt8]) -> Step<Ticket>
    mutating func answered(_ ticket: Ticket, _ frame: ResponseFrame, _ body: Span<UInt8>, at now: Int64) -> Verdict
    mutating func lost(_ ticket: Ticket, _ loss: Loss, at now: Int64)
    /// Called about ten times a second.
    mutating func tick(at now: Int64, inFlight: Int)
}

/// Keep-alive connections of one thread to one or several addresses in turn, one request in flight on each. Free
/// connections are used in turn.
struct Exchange<Driver: ExchangeDriver>: ~Copyable {
    private enum Phase { case closed, connecting, free, sending, awaiting }

    private struct Connection {
        var descriptor: Int32 = -1
        var phase = Phase.closed
        /// The server closed it, or sent something that nobody asked for, while it was free.
        var isSpoilt = false
        var ticket: Driver.Ticket?
        var sentAt: Int64 = 0
        var restsUntil: Int64 = 0
        /// What is left to send, and the part of an answer that has arrived.
        var unsent: [UInt8] = []
        var received: [UInt8] = []
    }

    private static var restTime: Int64 { 100_000_000 }
    private static var tickTime: Int64 { 100_000_000 }

    private(set) var driver: Driver
    /// Connections that were established, including those made anew.
    private(set) var established = 0
    private let addresses: [SocketAddress]
    private let timeout: Int64
    private var poller = Poller()
    private var connections: [Connection]
    private var free: Queue
    private var resting: Queue
    private var inFlight = 0
    private var request: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 256 * 1024)

    /// `timeout` in nanoseconds from sending to the whole answer.
    init(driver: Driver, addresses: [SocketAddress], connections count: Int, timeout: Int64) {
        self.driver = driver
        self.addresses = addresses
        self.timeout = timeout
        connections = Array(repeating: Connection(), count: count)
        free = Queue(capacity: count)
        resting = Queue(capacity: count)
        for index in 0..<count { resting.append(Int32(index)) }
        request.reserveCapacity(1024)
    }

    deinit {
        for connection in connections where connection.descriptor >= 0 { close(connection.descriptor) }
    }

    /// Runs until the driver is over and every request it sent has its outcome, then gives the driver back.
    mutating func run() -> Driver {
        var nextTick = monotonicNow()
        while true {
            var now = monotonicNow()
            if now >= nextTick {
                expire(at: now)
                driver.tick(at: now, inFlight: inFlight)
                nextTick = now + Self.tickTime
            }
            wakeResting(at: now)
            var wake = nextTick
            if driver.isOver(at: now) {
                if inFlight == 0 { break }
            } else {
                wake = min(wake, dispatch(&now))
            }
            if let head = resting.first { wake = min(wake, connections[Int(head)].restsUntil) }
            handleReady(poller.wait(wake - now))
        }
        return driver
    }

    /// Sends on free connections while the driver has something; returns when to come back.
    private mutating func dispatch(_ now: inout Int64) -> Int64 {
        while let index = free.first.map(Int.init) {
            if connections[index].isSpoilt {
                free.removeFirst()
                drop(index, at: now)
                continue
            }
            request.removeAll(keepingCapacity: true)
            switch driver.next(at: now, into: &request) {
            case .wait(let until): return until
            case .send(let ticket):
                free.removeFirst()
                transmit(ticket, on: index, at: now)
                now = monotonicNow()
            }
        }
        return .max
    }

    private mutating func transmit(_ ticket: Driver.Ticket, on index: Int, at now: Int64) {
        inFlight += 1
        connections[index].ticket = ticket
        connections[index].sentAt = now
        connections[index].received.removeAll(keepingCapacity: true)
        switch Socket.send(connections[index].descriptor, request, from: 0, to: request.count) {
        case .moved(request.count):
            connections[index].phase = .awaiting
        case .moved(let sent): keep(request[sent...], for: index)
        case .wouldBlock: keep(request[...], for: index)
        case .ended: fail(index, .connectionEnded, at: now)
        }
    }

    /// What is left of a request goes out when there is room.
    private mutating func keep(_ unsent: ArraySlice<UInt8>, for index: Int) {
        connections[index].unsent = Array(unsent)
        connections[index].phase = .sending
        poller.change(connections[index].descriptor, of: index, to: .output)
    }

    private mutating func handleReady(_ count: Int) {
        guard count > 0 else { return }
        let now = monotonicNow()
        for position in 0..<count {
            let index = poller.owner(at: position)
            switch connections[index].phase {
            case .connecting: finishConnecting(index, at: now)
            case .sending: continueSending(index, at: now)
            case .awaiting: receive(index)
            case .free:
                connections[index].isSpoilt = true
                poller.remove(connections[index].descriptor)
            case .closed: break
            }
        }
    }

    private mutating func finishConnecting(_ index: Int, at now: Int64) {
        guard Socket.pendingError(connections[index].descriptor) == 0 else { return drop(index, at: now) }
        established += 1
        poller.change(connections[index].descriptor, of: index, to: .input)
        release(index)
    }

    private mutating func continueSending(_ index: Int, at now: Int64) {
        let unsent = connections[index].unsent
        switch Socket.send(connections[index].descriptor, unsent, from: 0, to: unsent.count) {
        case .moved(unsent.count):
            connections[index].unsent = []
            connections[index].phase = .awaiting
            poller.change(connections[index].descriptor, of: index, to: .input)
        case .moved(let sent): connections[index].unsent.removeFirst(sent)
        case .wouldBlock: break
        case .ended: fail(index, .connectionEnded, at: now)
        }
    }

    private mutating func receive(_ index: Int) {
        let progress = Socket.receive(connections[index].descriptor, into: &buffer)
        let now = monotonicNow()
        switch progress {
        case .wouldBlock: break
        case .ended: fail(index, .connectionEnded, at: now)
        case .moved(let count):
            if connections[index].received.isEmpty {
                let bytes = buffer
                accept(index, bytes.span.extracting(first: count), keep: true, at: now)
            } else {
                connections[index].received.append(contentsOf: buffer[..<count])
                let bytes = connections[index].received
                accept(index, bytes.span, keep: false, at: now)
            }
        }
    }

    /// Takes the answer in `bytes` if it is whole; otherwise keeps them when asked to.
    private mutating func accept(_ index: Int, _ bytes: Span<UInt8>, keep: Bool, at now: Int64) {
        let parsed: ResponseFrame?
        do {
            parsed = try ResponseParser.parse(bytes)
        } catch {
            return fail(index, .malformed, at: now)
        }
        guard let frame = parsed else {
            if keep { bytes.withUnsafeBufferPointer { connections[index].received.append(contentsOf: $0) } }
            return
        }
        // With one request in flight nothing may follow its answer.
        guard frame.body.upperBound == bytes.count, let ticket = connections[index].ticket else {
            return fail(index, .malformed, at: now)
        }
        connections[index].ticket = nil
        inFlight -= 1
        let verdict = driver.answered(ticket, frame, bytes.extracting(frame.body), at: now)
        if frame.closes {
            drop(index, at: now)
        } else if verdict == .rest {
            connections[index].phase = .free
            connections[index].restsUntil = now + Self.restTime
            resting.append(Int32(index))
        } else {
            release(index)
        }
    }

    /// Reports the request on the connection as lost and closes the connection.
    private mutating func fail(_ index: Int, _ loss: Loss, at now: Int64) {
        if let ticket = connections[index].ticket {
            connections[index].ticket = nil
            inFlight -= 1
            driver.lost(ticket, loss, at: now)
        }
        drop(index, at: now)
    }

    /// Closes the connection; it is made anew after a rest.
    private mutating func drop(_ index: Int, at now: Int64) {
        if connections[index].descriptor >= 0 { close(connections[index].descriptor) }
        connections[index].descriptor = -1
        connections[index].phase = .closed
        connections[index].isSpoilt = false
        connections[index].unsent = []
        connections[index].restsUntil = now + Self.restTime
        resting.append(Int32(index))
    }

    private mutating func release(_ index: Int) {
        connections[index].phase = .free
        free.append(Int32(index))
    }

    private mutating func wakeResting(at now: Int64) {
        while let index = resting.first.map(Int.init), connections[index].restsUntil <= now {
            resting.removeFirst()
            if connections[index].phase == .free {
                release(index)
            } else if let descriptor = addresses[index % addresses.count].connect() {
                connections[index].descriptor = descriptor
                connections[index].phase = .connecting
                connections[index].sentAt = now
                poller.add(descriptor, of: index, for: .output)
            } else {
                connections[index].restsUntil = now + Self.restTime
                resting.append(Int32(index))
            }
        }
    }

    private mutating func expire(at now: Int64) {
        for index in connections.indices where now - connections[index].sentAt > timeout {
            switch connections[index].phase {
            case .sending, .awaiting: fail(index, .timedOut, at: now)
            case .connecting: drop(index, at: now)
            case .closed, .free: break
            }
        }
    }
}

/// A first-in first-out ring of connection numbers, each in it at most once.
private struct Queue {
    private var items: [Int32]
    private var head = 0
    private var count = 0

    init(capacity: Int) { items = Array(repeating: 0, count: max(1, capacity)) }

    var first: Int32? { count > 0 ? items[head] : nil }

    mutating func append(_ item: Int32) {
        precondition(count < items.count, "a connection is queued twice")
        items[(head + count) % items.count] = item
        count += 1
    }

    mutating func removeFirst() {
        precondition(count > 0, "nothing is queued")
        head = (head + 1) % items.count
        count -= 1
    }
}
