import Glibc
import Observability
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Messaging

/// A server with a stream and connections to it, and what tests do with them.
final class Rig: Sendable {
    static let stream = "WALLET_EVENTS"
    static let consumer = "wallet-projector"

    let server: NATSServer
    let metrics = MetricsRegistry()
    let log = LineCollector()
    let logger: Logger
    private let connections = Mutex<[NATSConnection]>([])

    init(_ options: NATSServer.Options = .init()) throws {
        server = try NATSServer(options)
        logger = Logger(level: .debug, format: .json, sink: log.sink)
    }

    /// A connection that is up; short pings, so that a paused server is noticed soon.
    func connect(_ name: String) async throws -> NATSConnection {
        let connection = try start(name)
        guard await connection.waitUntilConnected(within: .seconds(10)) else {
            throw TimedOut(what: "connecting: \(String(describing: connection.lastError))")
        }
        return connection
    }

    func start(_ name: String) throws -> NATSConnection {
        var configuration = try server.configuration(name: name)
        configuration.pingInterval = .milliseconds(500)
        configuration.connectTimeout = .milliseconds(500)
        configuration.requestTimeout = .seconds(1)
        let connection = NATSConnection(configuration, logger: logger, metrics: metrics)
        try connection.start()
        connections.withLock { $0.append(connection) }
        return connection
    }

    func admin(_ connection: NATSConnection) -> JetStreamAdmin {
        JetStreamAdmin(connection: connection, logger: logger)
    }

    func configuration() -> StreamConfiguration {
        var stream = StreamConfiguration(name: Self.stream, subjects: ["wallet.events.>"])
        stream.maxBytes = 256 << 20
        return stream
    }

    func makeStream(_ connection: NATSConnection, maxBytes: Int64 = 256 << 20) async throws {
        var wanted = configuration()
        wanted.maxBytes = maxBytes
        let stream = wanted
        _ = try await blocking { try self.admin(connection).ensureStream(stream) }
    }

    func makeConsumer(_ connection: NATSConnection, ackWait: Duration = .seconds(30)) async throws {
        var wanted = ConsumerConfiguration(name: Self.consumer)
        wanted.ackWait = ackWait
        let consumer = wanted
        _ = try await blocking { try self.admin(connection).ensureConsumer(consumer, on: Self.stream) }
    }

    func publisher(_ connection: NATSConnection, inFlight: Int = 4096) throws -> BatchPublisher {
        try BatchPublisher(
            connection: connection, expectedStream: Self.stream, inFlightLimit: inFlight, logger: logger,
            metrics: metrics)
    }

    func reader(_ connection: NATSConnection, batch: Int = 500, maxBytes: Int = 16 << 20) -> PullConsumer {
        var configuration = PullConsumer.Configuration(stream: Self.stream, consumer: Self.consumer)
        configuration.batch = batch
        configuration.maxBytes = maxBytes
        configuration.expires = .milliseconds(1500)
        configuration.heartbeat = .milliseconds(500)
        return PullConsumer(
            connection: connection, configuration: configuration, logger: logger, metrics: metrics)
    }

    /// Publishes `count` messages with ids `m<first>`..., again and again until each is stored.
    func fill(_ publisher: BatchPublisher, first: Int = 0, count: Int, size: Int = 100) async throws {
        var missing = Array(first..<first + count)
        let deadline = ContinuousClock.now + .seconds(30)
        while !missing.isEmpty, ContinuousClock.now < deadline {
            let part = Array(missing.prefix(500))
            let results = await publisher.publish(part.map { message($0, size: size) }, within: .seconds(2))
            let stored = Set(zip(part, results).filter { $0.1.isStored }.map(\.0))
            missing.removeAll { stored.contains($0) }
            if stored.isEmpty { try await blocking { pauseThread(milliseconds: 20) } }
        }
        guard missing.isEmpty else { throw TimedOut(what: "publishing, \(missing.count) missing") }
    }

    func message(_ number: Int, size: Int = 100) -> OutgoingMessage {
        let text = "{\"number\":\(number)}"
        let padding = [UInt8](repeating: 0x20, count: max(0, size - text.utf8.count))
        return OutgoingMessage(
            subject: "wallet.events.\(number % 8)", messageID: "m\(number)", payload: Array(text.utf8) + padding)
    }

    func close() async {
        for connection in connections.withLock({ $0 }) { await connection.close() }
        server.remove()
    }

    /// Runs a test with a rig that is closed behind it, whatever happens.
    static func run(
        _ options: NATSServer.Options = .init(), _ body: @Sendable (Rig) async throws -> Void
    ) async throws {
        let rig = try await blocking { try Rig(options) }
        do {
            try await body(rig)
        } catch {
            await rig.close()
            throw error
        }
        await rig.close()
    }
}

struct TimedOut: Error { let what: String }

extension PublishResult {
    var isStored: Bool {
        if case .stored = self { return true }
        return false
    }

    var isUnknown: Bool { self == .unknown }

    var rejection: PublishRejection? {
        if case .rejected(let why) = self { return why }
        return nil
    }
}

/// The number that `Rig.message` wrote.
func number(_ message: IncomingMessage) -> Int {
    let text = String(decoding: message.payload, as: UTF8.self)
    return Int(text.drop { $0 != ":" }.dropFirst().prefix { $0 != "}" }) ?? -1
}

/// Runs what blocks away from the pool that all tests share.
@discardableResult
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await runOnOwnThread("test") { try body() }
}

func pauseThread(milliseconds: Int) {
    StopSignal().wait(for: .milliseconds(milliseconds))
}

/// Polls until the condition holds; false when it does not within the limit.
func waitUntil(_ limit: Duration = .seconds(20), _ condition: @escaping @Sendable () throws -> Bool) async throws
    -> Bool
{
    try await blocking {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if try condition() { return true }
            pauseThread(milliseconds: 10)
        }
        return try condition()
    }
}

/// Expects the condition to hold soon.
func expectSoon(
    _ limit: Duration = .seconds(20), at place: SourceLocation = #_sourceLocation,
    _ condition: @escaping @Sendable () throws -> Bool
) async throws {
    let holds = try await waitUntil(limit, condition)
    #expect(holds, "it did not come true within \(limit)", sourceLocation: place)
}

/// Keeps log lines, to look for what must or must not be in them.
final class LineCollector: Sendable {
    private let lines = Mutex<[String]>([])
    var sink: LogSink { LogSink { [self] line in lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } } }
    var text: String { lines.withLock { $0.joined() } }
}

/// Reads with one reader on a thread of its own until told to stop, acknowledging everything.
final class Worker: Sendable {
    let reader: PullConsumer
    private let seen = Mutex<[Int: Int]>([:])
    private let failure = Mutex<MessagingError?>(nil)
    private let stop = StopSignal()
    private let thread = Mutex<OwnedThread?>(nil)

    init(_ reader: PullConsumer) { self.reader = reader }

    /// How often each number came.
    var counts: [Int: Int] { seen.withLock { $0 } }
    var error: MessagingError? { failure.withLock { $0 } }

    func start() throws {
        let made = try OwnedThread(name: "test-worker") { self.loop() }
        thread.withLock { $0 = made }
    }

    private func loop() {
        while !stop.isStopped {
            do throws(MessagingError) {
                let messages = try reader.next(max: 200, waitUpTo: .milliseconds(200))
                seen.withLock { seen in for message in messages { seen[number(message), default: 0] += 1 } }
                reader.ackAll(messages, within: .seconds(5))
            } catch {
                failure.withLock { $0 = error }
                break
            }
        }
        reader.close()
    }

    func end() async {
        stop.stop()
        await thread.withLock { $0 }?.waitUntilEnded()
    }
}

/// Keeps what a connection told.
final class EventLog: Sendable {
    private let events = Mutex<[NATSConnectionEvent]>([])
    var all: [NATSConnectionEvent] { events.withLock { $0 } }
    func add(_ event: NATSConnectionEvent) { events.withLock { $0.append(event) } }
}
