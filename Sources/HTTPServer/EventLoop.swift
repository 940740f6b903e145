import CSys
import Glibc
import Observability
import Runtime
import Synchronization

/// One thread that owns a listening socket and its connections, and on which handlers run.
///
/// Everything but `foreign` and `ended` belongs to the loop's thread; that is what makes the class Sendable. Tasks hold
/// the loop through their executor preference, so the descriptors live until the last of them has ended.
final class EventLoop: TaskExecutor, @unchecked Sendable {
    /// What other threads hand over.
    private struct Foreign: Sendable {
        var jobs: [UnownedJob] = []
        var stopRequested = false
        var abortRequested = false
    }

    static let readSize = 64 * 1024
    private static let maxEvents = 256
    private static let acceptBurst = 256
    /// Tokens below 2^32 are not connections: generations start at 1.
    private static let listenerToken: UInt64 = 1
    private static let wakeToken: UInt64 = 2

    let configuration: HTTPServerConfiguration
    let limits: RequestLimits
    let maxConnections: Int
    let handler: @Sendable (Request) async -> Response
    let logger: Logger
    let metrics: ServerMetrics
    /// Raised when the loop serves nobody any more.
    let ended = StopSignal()

    private let foreign = Mutex(Foreign())
    private let epoll: Int32
    private let wakeup: Int32
    private var listener: Int32
    private var thread = pthread_t()
    private var localJobs: [UnownedJob] = []
    private var ready: [(token: UInt64, response: Response)] = []
    private var mayAcceptMore = false
    private var generation: UInt32 = 0
    private var drainEnd: UInt64 = 0
    private var nextSweep: UInt64 = 0

    var connections: [Connection?] = []
    var connectionCount = 0
    var tasksInFlight = 0
    var bufferedBodyBytes = 0
    private(set) var isDraining = false
    private(set) var now: UInt64 = 0
    /// Requests still with their handlers when the drain deadline passed. Read after `ended`.
    private(set) var abandoned = 0
    /// Why the loop ended before it was asked. Read after `ended`.
    private(set) var failure: HTTPServerError?
    let readBuffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: EventLoop.readSize)
    var writer = ResponseWriter()
    var writeBuffer: [UInt8] = []

    init(
        listener: Int32, configuration: HTTPServerConfiguration, logger: Logger, metrics: ServerMetrics,
        handler: @escaping @Sendable (Request) async -> Response
    ) throws(HTTPServerError) {
        self.listener = listener
        self.configuration = configuration
        self.logger = logger
        self.metrics = metrics
        self.handler = handler
        limits = configuration.limits
        let loops = max(1, configuration.loops)
        maxConnections = max(1, (configuration.maxConnections + loops - 1) / loops)
        epoll = csys_epoll_create()
        wakeup = csys_eventfd()
        guard epoll >= 0, wakeup >= 0, csys_epoll_add(epoll, wakeup, Self.wakeToken) == 0,
            csys_epoll_add(epoll, listener, Self.listenerToken) == 0
        else { throw HTTPServerError("cannot make an event loop", code: errno) }
        writeBuffer.reserveCapacity(16 * 1024)
    }

    deinit {
        readBuffer.deallocate()
        for descriptor in [listener, epoll, wakeup] where descriptor >= 0 { close(descriptor) }
    }
}

// MARK: - From other threads

extension EventLoop {
    /// Takes a job of a request's task. Resumptions that arrive together cost one wake-up.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard !isOnThread else {
            localJobs.append(job)
            return
        }
        let wasEmpty = foreign.withLock { state in
            state.jobs.append(job)
            return state.jobs.count == 1
        }
        if wasEmpty { csys_eventfd_raise(wakeup) }
    }

    /// Asks the loop to drain and end.
    func stop() {
        foreign.withLock { $0.stopRequested = true }
        csys_eventfd_raise(wakeup)
    }

    /// Asks the loop to end without waiting for anybody.
    func abort() {
        foreign.withLock { $0.abortRequested = true }
        csys_eventfd_raise(wakeup)
    }

    private var isOnThread: Bool { pthread_equal(pthread_self(), thread) != 0 }
}

// MARK: - The loop

extension EventLoop {
    /// Serves until stopped and drained. Call once, on the loop's own thread.
    func run() {
        thread = pthread_self()
        now = Self.clock()
        nextSweep = now
        var events = [epoll_event](repeating: epoll_event(), count: Self.maxEvents)
        while !isFinished {
            let count = events.withUnsafeMutableBufferPointer { buffer in
                epoll_wait(epoll, buffer.baseAddress, Int32(buffer.count), waitMilliseconds())
            }
            now = Self.clock()
            guard count >= 0 || errno == EINTR else {
                fail(code: errno)
                continue
            }
            for index in 0..<max(0, Int(count)) {
                let mask = events[index].events
                handle(events.withUnsafeBufferPointer { csys_token($0.baseAddress?.advanced(by: index)) }, mask)
            }
            takeForeign()
            runLocalJobs()
            deliverReady()
            if mayAcceptMore { acceptConnections() }
            if now >= nextSweep || (isDraining && now >= drainEnd) { sweep() }
        }
        ended.stop()
        serveLateJobs()
    }

    private var isFinished: Bool {
        isDraining && connectionCount == 0 && (tasksInFlight == 0 || now >= drainEnd)
    }

    private func waitMilliseconds() -> Int32 {
        if !localJobs.isEmpty || !ready.isEmpty || mayAcceptMore { return 0 }
        let next = isDraining ? min(nextSweep, drainEnd) : nextSweep
        // Rounded up, or the last fraction of a millisecond would be spent spinning.
        return next > now ? Int32(clamping: (next - now) / 1_000_000 + 1) : 0
    }

    private func handle(_ token: UInt64, _ mask: UInt32) {
        switch token {
        case Self.listenerToken: mayAcceptMore = true
        case Self.wakeToken: break
        default: if let connection = connection(token) { connectionEvent(connection, mask) }
        }
    }

    private func takeForeign() {
        let (jobs, stop, abort) = foreign.withLock { state in
            let jobs = state.jobs
            if !jobs.isEmpty { state.jobs = [] }
            return (jobs, state.stopRequested, state.abortRequested)
        }
        localJobs.append(contentsOf: jobs)
        if stop || abort, !isDraining { beginDrain() }
        if abort { drainEnd = min(drainEnd, now) }
    }

    private func runLocalJobs() {
        let executor = asUnownedTaskExecutor()
        // Jobs that these jobs enqueue run in this turn too, but not without end: sockets want to be served.
        for _ in 0..<8 where !localJobs.isEmpty {
            let jobs = localJobs
            localJobs.removeAll(keepingCapacity: true)
            for job in jobs { job.runSynchronously(on: executor) }
        }
    }

    /// Notes a handler's answer; it is written in this turn of the loop.
    func complete(_ token: UInt64, _ response: Response) {
        assert(isOnThread)
        tasksInFlight -= 1
        metrics.inFlight.add(-1)
        ready.append((token, response))
    }

    private func deliverReady() {
        guard !ready.isEmpty else { return }
        let answers = ready
        ready.removeAll(keepingCapacity: true)
        writer.setDate(time(nil))
        for answer in answers {
            guard let connection = connection(answer.token), connection.isInFlight else {
                metrics.lost.increment()
                continue
            }
            deliver(answer.response, to: connection)
        }
    }

    /// Handlers that outlived the drain deadline still need a thread to end on; their answers have nowhere to go.
    private func serveLateJobs() {
        var event = epoll_event()
        while tasksInFlight > 0 {
            takeForeign()
            runLocalJobs()
            ready.removeAll()
            if tasksInFlight > 0, localJobs.isEmpty { _ = epoll_wait(epoll, &event, 1, 1000) }
        }
    }

    private func fail(code: Int32) {
        failure = HTTPServerError("the event loop failed", code: code)
        if !isDraining { beginDrain() }
        drainEnd = now
        closeAll()
    }

    static func clock() -> UInt64 { Clock.system.monotonicNanoseconds() }
}

// MARK: - Accepting, timers, draining

extension EventLoop {
    private func acceptConnections() {
        mayAcceptMore = false
        guard listener >= 0 else { return }
        for _ in 0..<Self.acceptBurst {
            var address = sockaddr_storage()
            let descriptor = csys_accept(listener, &address)
            guard descriptor >= 0 else {
                switch errno {
                // The client went away again, or the call was interrupted: there may be others.
                case ECONNABORTED, EINTR, EPROTO: continue
                case EAGAIN: return
                default:
                    // Out of descriptors or memory. The sweep tries again: the listener's edge will not come back.
                    logger.warning("cannot accept connections", ["error": .string(String(cString: strerror(errno)))])
                    return
                }
            }
            admit(descriptor, address)
        }
        mayAcceptMore = true
    }

    private func admit(_ descriptor: Int32, _ address: sockaddr_storage) {
        metrics.accepted.increment()
        guard connectionCount < maxConnections + 64 else {
            metrics.refused.increment()
            close(descriptor)
            return
        }
        generation = generation == .max ? 1 : generation + 1
        let connection = Connection(
            descriptor: descriptor, generation: generation, remoteAddress: ListeningSocket.text(of: address),
            limits: limits, now: now)
        while connections.count <= Int(descriptor) { connections.append(nil) }
        guard csys_epoll_add(epoll, descriptor, connection.token) == 0 else {
            close(descriptor)
            return
        }
        connections[Int(descriptor)] = connection
        connectionCount += 1
        metrics.open.add(1)
        guard connectionCount > maxConnections else { return }
        metrics.refused.increment()
        refuse(connection, .overloaded)
    }

    private func sweep() {
        nextSweep = now + UInt64(configuration.sweepInterval.wholeNanoseconds)
        if listener >= 0 { mayAcceptMore = true }
        if isDraining, now >= drainEnd {
            abandoned = tasksInFlight
            closeAll()
            return
        }
        for connection in connections {
            if let connection { checkTimer(connection) }
        }
    }

    private func checkTimer(_ connection: Connection) {
        let limit: Duration
        switch connection.phase {
        case .handling: return
        case .idle where isDraining: limit = min(.seconds(1), configuration.idleTimeout)
        case .idle: limit = connection.isFresh ? configuration.headerTimeout : configuration.idleTimeout
        case .head: limit = configuration.headerTimeout
        case .body: limit = configuration.bodyTimeout
        case .writing: limit = configuration.writeStallTimeout
        case .lingering: limit = .seconds(1)
        }
        guard now - connection.since > UInt64(max(0, limit.wholeNanoseconds)) else { return }
        switch connection.phase {
        case .head, .body: refuse(connection, .requestTimeout)
        default: closeConnection(connection)
        }
    }

    /// Stops accepting, after what the kernel has queued already, and closes connections that have nothing to say.
    private func beginDrain() {
        isDraining = true
        drainEnd = now + UInt64(max(0, configuration.drainDeadline.wholeNanoseconds))
        nextSweep = min(nextSweep, now + 100_000_000)
        repeat { acceptConnections() } while mayAcceptMore && connectionCount < maxConnections
        mayAcceptMore = false
        if listener >= 0 { close(listener) }
        listener = -1
        for connection in connections {
            guard let connection, connection.phase == .idle else { continue }
            // A request may have arrived just now; a new connection has a second to send one.
            readInput(connection)
            if isCurrent(connection), connection.phase == .idle, !connection.isFresh { closeConnection(connection) }
        }
    }

    private func closeAll() {
        for connection in connections {
            if let connection { closeConnection(connection) }
        }
    }

    /// The connection a token names, unless it has been closed since.
    func connection(_ token: UInt64) -> Connection? {
        let descriptor = Int(truncatingIfNeeded: token & 0xFFFF_FFFF)
        guard descriptor < connections.count, let connection = connections[descriptor],
            connection.generation == UInt32(truncatingIfNeeded: token >> 32)
        else { return nil }
        return connection
    }
}
