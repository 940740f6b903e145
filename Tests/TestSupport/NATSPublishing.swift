import Messaging
import Observability
import Runtime

extension NATSServer {
    /// Publishes messages into the stream that has their subject, and returns when the stream has all of them.
    ///
    /// - Parameters:
    ///   - payloads: the messages.
    ///   - subject: where to.
    ///   - limit: how long to try; a message without an acknowledgement is sent again.
    /// - Throws: `NeverHappened` when the server or the stream is away for longer.
    public func publish(_ payloads: [String], to subject: String, within limit: Duration = .seconds(30)) async throws {
        var configuration = try configuration(name: "publisher")
        configuration.connectTimeout = .milliseconds(500)
        configuration.requestTimeout = .seconds(1)
        let connection = NATSConnection(
            configuration, logger: Logger(level: .error, format: .json, sink: LogSink { _ in }),
            metrics: MetricsRegistry())
        let service = Task { try await connection.run() }
        var left = payloads[...]
        var failure: (any Error)?
        do {
            try await eventually(within: limit, "an acknowledgement for each message") {
                while let next = left.first {
                    let answer = try? await blocking { try connection.request(Array(next.utf8), to: subject) }
                    guard let answer, String(decoding: answer, as: UTF8.self).contains("\"seq\":") else { return false }
                    left.removeFirst()
                }
                return true
            }
        } catch {
            failure = error
        }
        await connection.stop()
        try? await service.value
        if let failure { throw failure }
    }
}
