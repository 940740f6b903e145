internal import CLibPQ

/// Everything that can go wrong between this process and PostgreSQL.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure; what to do about one differs by kind.
    public enum Kind: Sendable, Hashable {
        /// The server answered with an error; `sqlState` is set.
        case server
        /// The connection broke, could not be made or is closed.
        case connectionLost
        /// No answer came in time; the connection has been closed, because nothing is known about its state.
        case deadlineExceeded
        /// A value of a result was NULL or of another type or range than asked for.
        case decoding
        /// The caller broke a rule of this interface; nothing was sent.
        case misuse
        /// The connection URL cannot be understood.
        case configuration
        /// The pool has no connection at the moment: the database is away.
        case unavailable
        /// The queue of the pool is full.
        case overloaded
        /// The pool has been stopped.
        case stopped
    }

    /// What was going on.
    public enum Phase: String, Sendable, Hashable {
        /// Reaching the server, authenticating, applying the session's settings.
        case connect
        /// Preparing a statement.
        case prepare
        /// Opening a transaction.
        case begin
        /// Sending a statement or waiting for its answer.
        case statement
        /// A COMMIT had been sent and its answer had not been read.
        case commit
        /// Rolling a transaction back.
        case rollback
        /// Waiting for a connection of a pool.
        case queue
        /// Reading values out of a result.
        case decode
    }

    /// The kind of failure.
    public let kind: Kind
    /// What was going on.
    public let phase: Phase
    /// The server's code; set when `kind` is `.server`, and for a session that the server ended with a reason.
    public var sqlState: SQLState?
    /// What happened, in a sentence.
    public let message: String
    /// The server's detail; may contain values of rows.
    public var detail: String?
    /// The server's hint.
    public var hint: String?
    /// The name of the violated constraint or unique index.
    public var constraint: String?
    /// The table the error is about.
    public var table: String?
    /// The column the error is about.
    public var column: String?
    /// The statement: the name it was prepared under.
    public var statement: String?
    /// Whether work that was sent may have been committed although no answer to it was read. Only ever true together
    /// with `isConnectionLost`.
    public var mayHaveCommitted = false

    init(_ kind: Kind, _ phase: Phase, _ message: String, sqlState: SQLState? = nil, statement: String? = nil) {
        self.kind = kind
        self.phase = phase
        self.message = message
        self.sqlState = sqlState
        self.statement = statement
    }

    /// Whether the connection can no longer be used.
    public var isConnectionLost: Bool { kind == .connectionLost || kind == .deadlineExceeded }

    /// Whether the same work may succeed later without being changed.
    public var isTransient: Bool {
        switch kind {
        case .connectionLost, .deadlineExceeded, .unavailable, .overloaded: true
        case .server: sqlState?.isTransient ?? false
        case .decoding, .misuse, .configuration, .stopped: false
        }
    }

    /// One line for logs. Details stay out, because they quote values of rows.
    public var description: String {
        var text = "\(phase.rawValue): \(message)"
        if let sqlState { text += " (SQLSTATE \(sqlState.rawValue))" }
        if let constraint { text += " [constraint \(constraint)]" }
        if let statement { text += " [statement \(statement)]" }
        return text
    }
}

extension PostgresError {
    /// The error that a result of libpq carries. A FATAL one means that the server has ended the session.
    static func of(result: OpaquePointer?, phase: Phase, statement: String?) -> PostgresError {
        func field(_ code: Character) -> String? {
            guard let ascii = code.asciiValue, let text = PQresultErrorField(result, Int32(ascii)) else { return nil }
            return String(cString: text)
        }
        let severity = field("V")
        let state = field("C").map(SQLState.init(rawValue:))
        let fatal = state == nil || severity == "FATAL" || severity == "PANIC"
        let text = field("M") ?? PQresultErrorMessage(result).map { oneLine(String(cString: $0)) } ?? "unknown error"
        var error = PostgresError(
            fatal ? .connectionLost : .server, phase, text, sqlState: state, statement: statement)
        error.detail = field("D")
        error.hint = field("H")
        error.constraint = field("n")
        error.table = field("t")
        error.column = field("c")
        return error
    }

    /// libpq's messages end with a newline and sometimes span several lines.
    static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }
}
