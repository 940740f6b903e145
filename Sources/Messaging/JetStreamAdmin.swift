import JSON
public import Observability
import Runtime

/// Creates, checks and looks at streams and consumers, through requests to JetStream's API.
///
/// Every function blocks until its answer or the connection's request timeout, so call it from a thread the program
/// owns; a task uses `detached`.
public final class JetStreamAdmin: Sendable {
    private let connection: NATSConnection
    private let logger: Logger

    /// Makes an administrator that works over `connection`.
    public init(connection: NATSConnection, logger: Logger) {
        self.connection = connection
        self.logger = logger
    }

    /// Runs blocking work of this type on a thread of its own, for callers in tasks.
    public func detached<Value: Sendable>(
        _ body: @escaping @Sendable (JetStreamAdmin) throws -> Value
    ) async throws -> Value {
        try await runOnOwnThread("nats-admin") { try body(self) }
    }

    /// Creates the stream, or brings the one of this name to these settings. Settings of an existing stream that
    /// this program has no opinion about stay as they are.
    ///
    /// - Throws: `incompatible` when a setting differs that no update can change.
    @available(*, noasync, message: "blocks the thread; in a task use `detached`")
    public func ensureStream(_ wanted: StreamConfiguration) throws(MessagingError) -> StreamInfo {
        if let answer = try info(.stream(wanted.name)) {
            let config = answer["config"] ?? .object([])
            let different = SettingsComparison.differences(wanted.wanted, from: config)
            if different.isEmpty { return try decoded(StreamInfo(answer), "stream info") }
            let text = SettingsComparison.describe(different, actual: config)
            guard different.allSatisfy({ !StreamConfiguration.fixed.contains($0.name) }) else {
                throw .incompatible("stream \(wanted.name) cannot be used as it is: \(text)")
            }
            logger.warning(
                "changing the stream's settings", ["stream": .string(wanted.name), "differences": .string(text)])
            let body = SettingsComparison.merged(wanted.wanted, into: config)
            let updated = try call("STREAM.UPDATE.\(wanted.name)", body)
            return try decoded(StreamInfo(updated), "stream update")
        }
        do throws(MessagingError) {
            let answer = try call("STREAM.CREATE.\(wanted.name)", .object(wanted.wanted))
            logger.info("created the stream", ["stream": .string(wanted.name)])
            return try decoded(StreamInfo(answer), "stream create")
        } catch .refused(_, _, JetStreamCode.streamNameInUse, _) {
            // Somebody else made it between the look and the creation, with other settings.
            throw .timedOut(operation: "stream create beside another process")
        }
    }

    /// Creates the durable pull consumer, or brings the one of this name to these settings.
    ///
    /// - Throws: `incompatible` when a setting differs that no update can change; `refused` when there is no stream.
    @available(*, noasync, message: "blocks the thread; in a task use `detached`")
    public func ensureConsumer(
        _ wanted: ConsumerConfiguration, on stream: String
    ) throws(MessagingError) -> ConsumerInfo {
        var config = JSONValue.object(wanted.wanted)
        if let answer = try info(.consumer(wanted.name, stream: stream)) {
            let actual = answer["config"] ?? .object([])
            let different = SettingsComparison.differences(wanted.wanted, from: actual)
            let unwanted = wanted.forbidden.filter { actual[$0] != nil }
            if different.isEmpty, unwanted.isEmpty { return try decoded(ConsumerInfo(answer), "consumer info") }
            let texts = unwanted.map { "\($0) is set" } + [SettingsComparison.describe(different, actual: actual)]
            let text = texts.filter { !$0.isEmpty }.joined(separator: "; ")
            guard unwanted.isEmpty, different.allSatisfy({ !ConsumerConfiguration.fixed.contains($0.name) }) else {
                throw .incompatible("consumer \(wanted.name) of stream \(stream) cannot be used as it is: \(text)")
            }
            logger.warning(
                "changing the consumer's settings",
                ["stream": .string(stream), "consumer": .string(wanted.name), "differences": .string(text)])
            config = SettingsComparison.merged(wanted.wanted, into: actual)
        }
        let body = JSONValue.object([.init("stream_name", .string(stream)), .init("config", config)])
        let answer = try call("CONSUMER.DURABLE.CREATE.\(stream).\(wanted.name)", body)
        return try decoded(ConsumerInfo(answer), "consumer create")
    }

    /// The state of a stream; nil when there is none of this name.
    @available(*, noasync, message: "blocks the thread; in a task use `detached`")
    public func streamInfo(_ name: String) throws(MessagingError) -> StreamInfo? {
        guard let answer = try info(.stream(name)) else { return nil }
        return try decoded(StreamInfo(answer), "stream info")
    }

    /// The state of a consumer; nil when it or its stream does not exist.
    @available(*, noasync, message: "blocks the thread; in a task use `detached`")
    public func consumerInfo(stream: String, consumer: String) throws(MessagingError) -> ConsumerInfo? {
        guard let answer = try info(.consumer(consumer, stream: stream)) else { return nil }
        return try decoded(ConsumerInfo(answer), "consumer info")
    }

    /// The version of the connected server, and a warning in the log when it is one to avoid. Nil when it cannot be
    /// learned. How often the server syncs its files to disk cannot be asked over the connection at all: it is a
    /// setting of its configuration file (`jetstream { sync_interval: always }`, from 2.10 on).
    @available(*, noasync, message: "blocks the thread; in a task use `detached`")
    public func checkServerVersion() -> ServerVersion? {
        guard let server = connection.server, let address = try? NATSAddress(server) else { return nil }
        guard let version = ServerVersion.ask(address, timeout: connection.configuration.connectTimeout) else {
            logger.warning("cannot learn the version of the NATS server", ["server": .string(server)])
            return nil
        }
        if version < ServerVersion.firstAdvised {
            logger.warning(
                "this NATS server has known JetStream faults and cannot sync each message: use a newer one",
                ["version": .string(version.description), "server": .string(server)])
        } else {
            logger.info("NATS server", ["version": .string(version.description), "server": .string(server)])
        }
        return version
    }
}

extension JetStreamAdmin {
    private enum Subject {
        case stream(String)
        case consumer(String, stream: String)
    }

    /// The answer to an info request; nil when there is no such thing.
    @available(*, noasync)
    private func info(_ subject: Subject) throws(MessagingError) -> JSONValue? {
        do throws(MessagingError) {
            switch subject {
            case .stream(let name): return try call("STREAM.INFO.\(name)", nil)
            case .consumer(let name, let stream): return try call("CONSUMER.INFO.\(stream).\(name)", nil)
            }
        } catch .refused(_, _, JetStreamCode.streamNotFound, _) {
            return nil
        } catch .refused(_, _, JetStreamCode.consumerNotFound, _) {
            return nil
        }
    }

    @available(*, noasync)
    func call(_ operation: String, _ body: JSONValue?) throws(MessagingError) -> JSONValue {
        let bytes = try connection.request(body?.compactBytes ?? [], to: "$JS.API.\(operation)")
        let answer: JSONValue
        do {
            answer = try JSONValue(parsing: bytes)
        } catch {
            throw .badReply(operation: operation, description: error.message)
        }
        if let error = answer["error"] {
            throw .refused(
                operation: operation, status: Int(error["code"]?.int64 ?? 0), code: Int(error["err_code"]?.int64 ?? 0),
                description: error["description"]?.string ?? "no description")
        }
        return answer
    }

    private func decoded<Value>(_ value: Value?, _ operation: String) throws(MessagingError) -> Value {
        guard let value else { throw .badReply(operation: operation, description: "members are missing") }
        return value
    }
}
