import CNATS
public import Observability
public import Runtime

/// What happened to a connection.
public enum NATSConnectionEvent: Sendable, Equatable {
    /// The first success, or a new connection in place of one that was closed.
    case connected
    /// The server is gone; what was in flight has an unknown outcome. Trying again goes on by itself.
    case disconnected
    /// Back on the same connection object.
    case reconnected
    /// The client library gave the connection up (or this process closed it).
    case closed
}

/// A connection to NATS that keeps itself up: it connects while the server is still away, reconnects, and replaces
/// a connection that the library has given up for good (wrong password twice). `run()` it as a service.
public final class NATSConnection: Service {
    struct State: Sendable {
        var link: NATSLink?
        var isUp = false
        /// Counts every success to connect or reconnect: what was asked of the server in an earlier epoch is void.
        var epoch: UInt64 = 0
        var isLinkClosed = false
        var observers: [Int: @Sendable (NATSConnectionEvent) -> Void] = [:]
        var nextObserver = 0
        var lastError: MessagingError?
    }

    /// The name for logs and for the server's list of connections.
    public let name: String
    let configuration: NATSConfiguration
    let logger: Logger
    private let monitor = Monitor(State())
    private let stopping = StopSignal()
    private let ended = StopSignal()
    private let connects: Counter
    private let disconnects: Counter
    private let reconnects: Counter
    private let failures: Counter
    private let drainTimeout: Duration

    /// Makes a connection that does nothing before `run()` or `start()`.
    ///
    /// - Parameters:
    ///   - configuration: where to connect, and how.
    ///   - drainTimeout: how long `stop()` may take to send what was handed over.
    public init(
        _ configuration: NATSConfiguration, logger: Logger, metrics: MetricsRegistry,
        drainTimeout: Duration = .seconds(3)
    ) {
        name = configuration.name
        self.configuration = configuration
        self.logger = logger.with(["connection": .string(configuration.name)])
        self.drainTimeout = drainTimeout
        let labels: MetricsRegistry.Labels = ["connection": configuration.name]
        connects = metrics.counter("wallet_nats_connects_total", "New connections to NATS.", labels: labels)
        disconnects = metrics.counter("wallet_nats_disconnects_total", "Lost connections to NATS.", labels: labels)
        reconnects = metrics.counter("wallet_nats_reconnects_total", "Reconnections to NATS.", labels: labels)
        failures = metrics.counter(
            "wallet_nats_connect_failures_total", "Failed attempts at a new connection to NATS.", labels: labels)
        metrics.gauge("wallet_nats_connected", "1 while connected to NATS.", labels: labels) { [weak self] in
            self?.isConnected == true ? 1 : 0
        }
        stopping.onStop { [monitor] in
            // Through the lock, or the wake-up could fall between a waiter's look at the signal and its sleep.
            monitor.withLock { _ in }
            monitor.wakeAll()
        }
    }

    /// Keeps the connection until `stop()`, then sends what is left and closes it.
    public func run() async throws {
        try await runOnOwnThread(name) { self.supervise() }
    }

    /// `run()` in the background, for programs without a service group; end it with `close()`.
    public func start() throws {
        _ = try OwnedThread(name: name) { self.supervise() }
    }

    /// Asks `run()` to end. Close publishers and consumers first: what they hand over later is refused.
    public func stop() async { stopping.stop() }

    /// Stops and waits until the connection is closed.
    public func close() async {
        stopping.stop()
        await ended.wait()
    }

    /// Whether a server is connected now.
    public var isConnected: Bool { monitor.withLock { $0.isUp } }

    /// The server in use, without secrets; nil while there is none.
    public var server: String? { current()?.link.server }

    /// Why the last attempt to connect failed; nil once it succeeded.
    public var lastError: MessagingError? { monitor.withLock { $0.lastError } }

    /// Blocks until connected or until the time is over. Only for threads the program owns.
    ///
    /// - Returns: whether it is connected.
    @available(*, noasync, message: "blocks the thread; in a task use `await waitUntilConnected`")
    public func waitUntilConnected(for timeout: Duration) -> Bool { blockUntilConnected(timeout) }

    /// Suspends until connected or until the time is over.
    ///
    /// - Returns: whether it is connected.
    public func waitUntilConnected(within timeout: Duration) async -> Bool {
        let isUp = try? await runOnOwnThread("nats-wait") { self.blockUntilConnected(timeout) }
        return isUp ?? isConnected
    }

    /// Tells `observer` what happens to the connection. It runs on a thread that serves all connections, or on the
    /// supervisor's: it must not block and not call back into the connection, except for reading. `connected` may come
    /// late beside the others; `isConnected` tells how things are now.
    ///
    /// - Returns: a number for `removeObserver`.
    public func observe(_ observer: @escaping @Sendable (NATSConnectionEvent) -> Void) -> Int {
        monitor.withLock { state in
            state.nextObserver += 1
            state.observers[state.nextObserver] = observer
            return state.nextObserver
        }
    }

    /// Ends what `observe` began; an event being delivered may still arrive.
    public func removeObserver(_ number: Int) {
        _ = monitor.withLock { $0.observers.removeValue(forKey: number) }
    }

    /// The link in use and its epoch; nil while not connected.
    func current() -> (link: NATSLink, epoch: UInt64)? {
        monitor.withLock { state in
            guard state.isUp, let link = state.link else { return nil }
            return (link, state.epoch)
        }
    }

    var isStopping: Bool { stopping.isStopped }

    private func blockUntilConnected(_ timeout: Duration) -> Bool {
        let isUp = monitor.wait(for: timeout) { state in
            if state.isUp { return true }
            return stopping.isStopped ? false : nil
        }
        return isUp ?? false
    }
}

extension NATSConnection {
    private func supervise() {
        var pause = RetryPause(first: configuration.reconnectWait, last: .seconds(2))
        while !stopping.isStopped {
            do throws(MessagingError) {
                let link = try NATSLink(configuration) { [weak self] id, event in self?.receive(id, event) }
                install(link)
                pause.reset()
                _ = monitor.wait(for: nil) { state in state.isLinkClosed || stopping.isStopped ? true : nil }
                if !stopping.isStopped { stopping.wait(for: pause.next()) }
            } catch {
                failures.increment()
                let isNews = monitor.withLock { state in
                    defer { state.lastError = error }
                    return state.lastError != error
                }
                let fields: LogFields = [
                    "error": .string(error.description), "servers": .string(configuration.maskedURLs),
                ]
                // The same failure several times a second says nothing new.
                logger.log(isNews ? .warning : .debug, "cannot connect to NATS, trying on", fields)
                stopping.wait(for: pause.next())
            }
        }
        closeLink()
        ended.stop()
    }

    private func install(_ link: NATSLink) {
        let old = monitor.withLock { state in
            let old = state.link
            state.link = link
            state.isLinkClosed = natsConnection_IsClosed(link.handle)
            state.isUp = !state.isLinkClosed && !natsConnection_IsReconnecting(link.handle)
            state.epoch += 1
            state.lastError = nil
            return old
        }
        monitor.wakeAll()
        connects.increment()
        logger.info("connected to NATS", ["server": .string(link.server ?? "")])
        notify(.connected)
        withExtendedLifetime(old) {}
    }

    private func receive(_ id: Int, _ event: LinkEvent) {
        switch event {
        case .disconnected:
            guard update(id, { $0.isUp = false }) else { return }
            disconnects.increment()
            if !stopping.isStopped { logger.warning("lost the connection to NATS, trying to reconnect") }
            notify(.disconnected)
        case .reconnected:
            let done = update(id) { state in
                state.isUp = true
                state.epoch += 1
            }
            guard done else { return }
            reconnects.increment()
            logger.info("reconnected to NATS", ["server": .string(server ?? "")])
            notify(.reconnected)
        case .closed(let reason):
            let done = update(id) { state in
                state.isUp = false
                state.isLinkClosed = true
            }
            guard done else { return }
            if !stopping.isStopped {
                logger.error("the connection to NATS was given up, making a new one", ["reason": .string(reason)])
            }
            notify(.closed)
        case .complaint(let text):
            logger.warning("NATS complains", ["error": .string(text)])
        }
    }

    /// Changes the state when the event is about the link in use. An event that comes between the link's making and
    /// its installation is not lost: `install` asks the link for its state.
    private func update(_ id: Int, _ change: (inout State) -> Void) -> Bool {
        let isCurrent = monitor.withLock { state in
            guard state.link?.id == id else { return false }
            change(&state)
            return true
        }
        if isCurrent { monitor.wakeAll() }
        return isCurrent
    }

    private func notify(_ event: NATSConnectionEvent) {
        let observers = monitor.withLock { Array($0.observers.values) }
        for observer in observers { observer(event) }
    }

    private func closeLink() {
        guard let link = monitor.withLock({ $0.link }) else { return }
        if isConnected {
            let limit = max(1, drainTimeout.wholeMilliseconds)
            let flushed = natsConnection_FlushTimeout(link.handle, limit)
            if flushed != NATS_OK { logger.warning("not everything reached NATS before the end") }
            // Draining is asynchronous; the closed event tells its end.
            if natsConnection_DrainTimeout(link.handle, limit) == NATS_OK {
                _ = monitor.wait(for: drainTimeout) { $0.isLinkClosed ? true : nil }
            }
        }
        natsConnection_Close(link.handle)
        _ = monitor.wait(for: .seconds(1)) { $0.isLinkClosed ? true : nil }
        monitor.withLock { state in
            state.isUp = false
            state.link = nil
        }
        withExtendedLifetime(link) {}
    }
}

/// Pauses between attempts: doubled each time, with a random part, up to a limit.
struct RetryPause: Sendable {
    private let first: Duration
    private let last: Duration
    private var upcoming: Duration

    init(first: Duration, last: Duration) {
        self.first = first
        self.last = last
        upcoming = first
    }

    /// The pause to make now.
    mutating func next() -> Duration {
        let pause = upcoming
        upcoming = min(last, upcoming * 2)
        return pause * Double.random(in: 0.5...1)
    }

    mutating func reset() { upcoming = first }
}
