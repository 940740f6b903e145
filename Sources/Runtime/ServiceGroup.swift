import Glibc

/// Runs services together: starts them in order, and stops them in reverse order when a signal arrives, when one
/// ends early, or when asked. One group is the life of a process.
public final class ServiceGroup: Sendable {
    /// What happened, for the log.
    public enum Event: Sendable {
        /// A service was started.
        case started(String)
        /// The group begins to stop its services.
        case stopping(Outcome.Cause)
        /// A service has ended as asked.
        case stopped(String)
        /// A service ended with an error.
        case failed(String, any Error)
        /// The deadline is over and these services still ran.
        case abandoned([String])
        /// A second signal arrived: nothing is waited for any more.
        case aborted(Int32)
    }

    /// How the group ended.
    public struct Outcome: Sendable {
        /// Why the group stopped.
        public enum Cause: Sendable {
            /// `stop()` was called.
            case requested
            /// This signal arrived.
            case signal(Int32)
            /// This service ended without having been asked, or with an error.
            case serviceEnded(String)
            /// The signals could not be taken over; nothing was started.
            case notStarted(any Error)
        }

        /// Why the group stopped.
        public internal(set) var cause: Cause
        /// The services that ended with an error, and it.
        public internal(set) var failures: [(service: String, error: any Error)] = []
        /// The services that still ran when the group gave up.
        public internal(set) var abandoned: [String] = []
        /// The second signal, when one cut the stop short.
        public internal(set) var abortedBy: Int32?

        /// The exit code for the process: 0 after an orderly stop; 1 when a service failed; 3 when services had to be
        /// abandoned; 128 + n when signal n cut the stop short.
        public var exitCode: Int32 {
            if let abortedBy { return 128 + abortedBy }
            if !abandoned.isEmpty { return 3 }
            guard failures.isEmpty else { return 1 }
            switch cause {
            case .requested, .signal: return 0
            case .serviceEnded, .notStarted: return 1
            }
        }
    }

    /// A service returned without having been asked to.
    public struct EndedEarly: Error, CustomStringConvertible {
        /// The reason as a sentence.
        public let description = "the service ended without having been asked to stop"
    }

    private enum Input: Sendable {
        case stopRequested
        case signal(Int32)
        case runEnded(Int, (any Error)?)
        case stopReturned(Int)
        case deadline
    }

    /// What asks a process to stop: SIGTERM and SIGINT.
    public static let stopSignals: [Int32] = [SIGTERM, SIGINT]

    /// Past the deadline the process gets this long to leave by itself before it is ended.
    private static let graceAfterDeadline = Duration.seconds(2)

    private let services: [any Service]
    private let shutdownTimeout: Duration
    private let signals: [Int32]
    private let report: @Sendable (Event) -> Void
    private let inputs: AsyncStream<Input>
    private let input: AsyncStream<Input>.Continuation

    /// Makes a group; `run()` starts it.
    ///
    /// - Parameters:
    ///   - services: in the order to start; what others need comes first.
    ///   - shutdownTimeout: the time for the whole stop; past it the tasks are cancelled and abandoned.
    ///   - signals: what asks the process to stop. With an empty list signals are left alone.
    ///   - report: told of each event, from the task that runs the group.
    public init(
        services: [any Service], shutdownTimeout: Duration, signals: [Int32] = ServiceGroup.stopSignals,
        report: @escaping @Sendable (Event) -> Void = { _ in }
    ) {
        self.services = services
        self.shutdownTimeout = shutdownTimeout
        self.signals = signals
        self.report = report
        (inputs, input) = AsyncStream.makeStream()
    }

    /// Asks the group to stop; `run()` returns when it has. May be called from anywhere, more than once.
    public func stop() { input.yield(.stopRequested) }

    /// Runs the services until the group has stopped. Call it once.
    ///
    /// With signals handled, a process that is too stuck to leave past the deadline, or that gets a third signal,
    /// is ended on the spot with an exit code other than zero.
    public func run() async -> Outcome {
        signal(SIGPIPE, SIG_IGN)
        var listener: ProcessSignals?
        if !signals.isEmpty {
            do {
                let arrived = Monitor(0)
                listener = try ProcessSignals(signals) { [input] number in
                    let count = arrived.withLock { count in
                        count += 1
                        return count
                    }
                    if count > 2 { _exit(128 + number) }
                    input.yield(.signal(number))
                }
            } catch {
                return Outcome(cause: .notStarted(error))
            }
        }
        let finished = StopSignal()
        defer {
            finished.stop()
            listener?.close()
        }
        return await supervise(finished)
    }

    private func supervise(_ finished: StopSignal) async -> Outcome {
        var tasks: [Task<Void, Never>] = []
        for index in services.indices {
            report(.started(services[index].name))
            tasks.append(start(index))
        }
        var shutdown: Shutdown?
        for await event in inputs {
            switch event {
            case .stopRequested:
                begin(.requested, &shutdown, finished)
            case .signal(let number):
                if shutdown != nil {
                    shutdown?.outcome.abortedBy = number
                    report(.aborted(number))
                    shutdown?.giveUp()
                } else {
                    begin(.signal(number), &shutdown, finished)
                }
            case .runEnded(let index, let error):
                if shutdown != nil, error == nil {
                    report(.stopped(services[index].name))
                } else {
                    let failure = error ?? EndedEarly()
                    report(.failed(services[index].name, failure))
                    begin(.serviceEnded(services[index].name), &shutdown, finished)
                    shutdown?.outcome.failures.append((services[index].name, failure))
                }
                shutdown?.running.remove(index)
            case .stopReturned(let index):
                shutdown?.stopping.remove(index)
            case .deadline:
                shutdown?.giveUp()
                if let abandoned = shutdown?.outcome.abandoned, !abandoned.isEmpty { report(.abandoned(abandoned)) }
            }
            guard advance(&shutdown) else { continue }
            break
        }
        for task in tasks { task.cancel() }
        return shutdown?.outcome ?? Outcome(cause: .requested)
    }

    /// The task starts on the spot and runs to its first suspension, which is what keeps the order of starting.
    private func start(_ index: Int) -> Task<Void, Never> {
        let service = services[index]
        return Task.immediate { [input] in
            do {
                try await service.run()
                input.yield(.runEnded(index, nil))
            } catch {
                input.yield(.runEnded(index, error))
            }
        }
    }

    private func begin(_ cause: Outcome.Cause, _ shutdown: inout Shutdown?, _ finished: StopSignal) {
        guard shutdown == nil else { return }
        shutdown = Shutdown(cause: cause, names: services.map(\.name))
        let (timeout, input, ownsProcess) = (shutdownTimeout, input, !signals.isEmpty)
        do {
            // A thread, so that the deadline holds even when every task is stuck.
            _ = try OwnedThread(name: "stop-deadline") {
                guard !finished.wait(for: timeout) else { return }
                input.yield(.deadline)
                guard ownsProcess, !finished.wait(for: Self.graceAfterDeadline) else { return }
                _exit(3)
            }
        } catch {
            // Without a deadline a stop could last for ever: better none of it.
            input.yield(.deadline)
        }
        report(.stopping(cause))
    }

    /// Asks the next service to stop when the one before has ended. Returns whether the group is done.
    private func advance(_ shutdown: inout Shutdown?) -> Bool {
        guard var current = shutdown else { return false }
        defer { shutdown = current }
        while !current.isOver {
            if let index = current.current {
                guard !current.running.contains(index), !current.stopping.contains(index) else { return false }
                current.current = nil
            }
            guard let next = current.remaining.popLast() else { return true }
            current.current = next
            guard current.running.contains(next) else { continue }
            current.stopping.insert(next)
            let service = services[next]
            Task { [input] in
                await service.stop()
                input.yield(.stopReturned(next))
            }
        }
        return true
    }
}

/// How far a stop has come.
private struct Shutdown {
    let names: [String]
    var outcome: ServiceGroup.Outcome
    /// The services whose `run()` has not returned.
    var running: Set<Int>
    /// The services whose `stop()` has not returned.
    var stopping: Set<Int> = []
    /// The services still to be asked, the next one last.
    var remaining: [Int]
    /// The service being waited for.
    var current: Int?
    var isOver = false

    init(cause: ServiceGroup.Outcome.Cause, names: [String]) {
        self.names = names
        outcome = ServiceGroup.Outcome(cause: cause)
        running = Set(names.indices)
        remaining = Array(names.indices)
    }

    mutating func giveUp() {
        isOver = true
        outcome.abandoned = running.union(stopping).sorted().map { names[$0] }
    }
}
