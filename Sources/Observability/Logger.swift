public import Runtime

/// Writes log lines. A value: a copy with more fields costs little and belongs to one request or component.
///
/// Each line is one JSON object with `time`, `level`, `message` and the fields, or readable text on a terminal.
/// A message below the level costs one comparison: neither the message nor the fields are evaluated.
public struct Logger: Sendable {
    /// How much a line matters.
    public enum Level: String, CaseIterable, Comparable, Sendable {
        /// Every step; for finding a fault.
        case trace
        /// What a developer wants to know.
        case debug
        /// What an operator wants to know: starts, stops, changes of state.
        case info
        /// Something went wrong and was mended: retried, reconnected, refused.
        case warning
        /// Something is lost or needs a person; every 5xx.
        case error

        var rank: UInt8 {
            switch self {
            case .trace: 0
            case .debug: 1
            case .info: 2
            case .warning: 3
            case .error: 4
            }
        }

        /// Orders by how much a line matters.
        public static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }
    }

    /// The form of a line.
    public enum Format: String, CaseIterable, Sendable {
        /// Text when the destination is a terminal, else JSON.
        case auto
        /// One JSON object a line.
        case json
        /// Text for people.
        case text
    }

    /// Lines below this level are not written.
    public var level: Level
    /// The fields of every line of this logger.
    public private(set) var fields: LogFields
    private let sink: LogSink
    private let isText: Bool
    private let clock: Clock

    /// Makes a logger.
    ///
    /// - Parameters:
    ///   - level: lines below it are not written.
    ///   - format: JSON or text; `auto` asks the destination.
    ///   - sink: where lines go; standard error unless told otherwise, which leaves standard output to answers.
    ///   - fields: fields of every line, such as the name of the service.
    ///   - clock: gives the time of each line.
    public init(
        level: Level = .info, format: Format = .auto, sink: LogSink = .standardError, fields: LogFields = [:],
        clock: Clock = .system
    ) {
        self.level = level
        self.fields = fields
        self.sink = sink
        self.clock = clock
        switch format {
        case .auto: isText = sink.isTerminal
        case .json: isText = false
        case .text: isText = true
        }
    }

    /// A logger that writes nothing.
    public static let silent = Logger(level: .error, format: .json, sink: .discarding)

    /// The same logger with further fields, which replace fields of the same names.
    public func with(_ more: LogFields) -> Logger {
        var copy = self
        copy.fields = fields.merging(more)
        return copy
    }

    /// The logger for one request.
    public func with(requestID: String, correlationID: String?) -> Logger {
        var copy = self
        copy.fields["request_id"] = .string(requestID)
        if let correlationID { copy.fields["correlation_id"] = .string(correlationID) }
        return copy
    }

    /// Whether a line of this level would be written.
    public func isEnabled(_ level: Level) -> Bool { level >= self.level }

    /// Writes a line when the level is on.
    public func log(
        _ level: Level, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
    ) {
        guard level >= self.level, !sink.isDiscarding else { return }
        let time = clock.wallMicroseconds()
        let all = self.fields.merging(fields())
        sink.write(
            isText
                ? LogLine.text(time: time, level: level, message: message(), fields: all)
                : LogLine.json(time: time, level: level, message: message(), fields: all))
    }

    /// Every step; for finding a fault.
    public func trace(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.trace, message(), fields())
    }

    /// What a developer wants to know.
    public func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.debug, message(), fields())
    }

    /// What an operator wants to know.
    public func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.info, message(), fields())
    }

    /// Something went wrong and was mended.
    public func warning(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.warning, message(), fields())
    }

    /// Something is lost or needs a person.
    public func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.error, message(), fields())
    }
}
