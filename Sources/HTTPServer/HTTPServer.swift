public import Observability
public import Runtime
import Synchronization

/// A strict HTTP/1.1 server: epoll loops that turn bytes into requests and hand them to an async handler.
///
/// Each loop owns a thread and its connections; handlers run on that thread until they suspend, and come back to it.
/// A connection has one request in flight at a time; pipelined ones wait. Handlers are never cancelled: a client that
/// goes away does not undo what it asked for, its answer is dropped.
public final class HTTPServer: Service {
    /// The name for logs.
    public let name = "http"
    /// The port the server listens on: the configured one, or the system's choice for 0.
    public let port: UInt16

    private let loops: [EventLoop]
    private let logger: Logger
    private let didRun = Mutex(false)

    /// Binds the address. Connections queue from now on and are served once `run()` is called.
    ///
    /// - Throws: `HTTPServerError` when the address cannot be resolved or bound, or descriptors run out.
    public init(
        configuration: HTTPServerConfiguration, logger: Logger, metrics: MetricsRegistry,
        handler: @escaping @Sendable (Request) async -> Response
    ) throws {
        let count = max(1, configuration.loops)
        let (sockets, port) = try ListeningSocket.open(
            host: configuration.host, port: configuration.port, count: count)
        let metrics = ServerMetrics(metrics)
        self.port = port
        self.logger = logger
        loops = try sockets.map { socket in
            try EventLoop(
                listener: socket, configuration: configuration, logger: logger, metrics: metrics, handler: handler)
        }
    }

    /// Serves until `stop()`, then drains: requests in flight are answered, idle connections closed.
    ///
    /// - Throws: `HTTPServerError` when a loop fails, or when the drain deadline or a cancellation cut requests off.
    public func run() async throws {
        guard
            didRun.withLock({ wasRunning in
                defer { wasRunning = true }; return !wasRunning
            })
        else {
            throw HTTPServerError("an HTTP server runs once")
        }
        try await withTaskCancellationHandler {
            for (index, loop) in loops.enumerated() {
                do {
                    // The thread may outlive this call when handlers do, and ends by itself.
                    _ = try OwnedThread(name: "http-\(index)") {
                        loop.run()
                    }
                } catch {
                    for loop in loops[..<index] { loop.abort() }
                    throw error
                }
            }
            logger.info("listening", ["port": .int(Int(port)), "loops": .int(loops.count)])
            for loop in loops { await loop.ended.waitIgnoringCancellation() }
        } onCancel: {
            for loop in loops { loop.abort() }
        }
        if let failure = loops.lazy.compactMap(\.failure).first { throw failure }
        let abandoned = loops.reduce(0) { $0 + $1.abandoned }
        guard abandoned == 0 else {
            logger.error("abandoned requests at the drain deadline", ["requests": .int(abandoned)])
            throw HTTPServerError("\(abandoned) requests were abandoned at the drain deadline")
        }
    }

    /// Asks `run()` to drain and return.
    public func stop() async {
        for loop in loops { loop.stop() }
    }
}

extension StopSignal {
    /// Suspends until the signal is raised, even in a task that has been cancelled.
    fileprivate func waitIgnoringCancellation() async {
        await withCheckedContinuation { continuation in onStop { continuation.resume() } }
    }
}
