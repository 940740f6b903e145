internal import CLibPQ
internal import Glibc

/// A session with PostgreSQL, used by one thread at a time.
///
/// Every wait has a deadline. When one passes, the connection is closed, because the state of the session is unknown
/// from then on; `connect()` opens it again and prepares every registered statement.
public final class PostgresConnection {
    /// Where the connection leads, and its limits.
    public let configuration: PostgresConfiguration
    /// How long to wait for any single answer.
    public var answerTimeout: Duration
    /// The process id of the server's side of the session; 0 while closed.
    public private(set) var backendPID: Int32 = 0

    /// A moment past which no wait goes on, whatever the answer timeout allows.
    var limit: Deadline?
    var registry: [(name: String, sql: String)] = []
    /// The parameter types the server inferred, by the statement's name.
    var prepared: [String: [UInt32]] = [:]
    var handle: OpaquePointer?
    var usesTLS = false
    /// Whether a statement was sent whose answer has not been read completely.
    var isBusy = false
    /// Whether the statement being answered runs inside a transaction that was opened before it was sent.
    var transactionWasOpen = false
    var isCommitting = false
    lazy var pipelineState = PostgresPipeline(connection: self)

    /// A connection that is not open yet.
    public init(configuration: PostgresConfiguration) {
        self.configuration = configuration
        self.answerTimeout = configuration.answerTimeout
    }

    deinit { PQfinish(handle) }

    /// Whether the session is open as far as this side knows.
    public var isOpen: Bool {
        guard let handle else { return false }
        return PQstatus(handle) == CONNECTION_OK
    }

    /// Whether the session is open, idle and the server has not ended it. Asks the socket, not the server: one system
    /// call, no round trip.
    public var isHealthy: Bool {
        guard let handle, isOpen, !isBusy, PQtransactionStatus(handle) == PQTRANS_IDLE else { return false }
        var entry = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 0) != 0 else { return true }
        // Idle and yet readable: a notice or, far more often, the end of the session.
        guard PQconsumeInput(handle) == 1, PQstatus(handle) == CONNECTION_OK else { return false }
        return poll(&entry, 1, 0) == 0
    }

    /// Whether a transaction is open, failed ones included.
    public var isInTransaction: Bool {
        guard let handle else { return false }
        let status = PQtransactionStatus(handle)
        return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
    }

    /// The version of the server, such as 150018; 0 while closed.
    public var serverVersion: Int {
        guard let handle else { return 0 }
        return Int(PQserverVersion(handle))
    }

    /// Ends the session at once. A transaction that is still open is rolled back by the server.
    public func close() {
        PQfinish(handle)
        handle = nil
        backendPID = 0
        isBusy = false
        prepared.removeAll(keepingCapacity: true)
        pipelineState.forget()
    }

    /// Opens the session, or opens it anew: applies the settings and prepares the registered statements.
    public func connect() throws(PostgresError) {
        close()
        let allowed = Deadline.after(configuration.connectTimeout)
        let deadline = limit.map { min($0, allowed) } ?? allowed
        try open(until: deadline)
        do throws(PostgresError) {
            try applySettings(until: deadline)
            try prepareRegistered(until: deadline)
        } catch {
            close()
            throw error
        }
        backendPID = handle.map(PQbackendPID) ?? 0
    }

    private func open(until deadline: Deadline) throws(PostgresError) {
        let options = configuration.connectOptions
        guard let started = Self.start(options) else {
            throw PostgresError(.connectionLost, .connect, "out of memory")
        }
        handle = started
        PQsetNoticeProcessor(started, { _, _ in }, nil)
        var status = PQstatus(started) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while status != PGRES_POLLING_OK {
            if status == PGRES_POLLING_FAILED {
                let reason = PostgresError.oneLine(String(cString: PQerrorMessage(started)))
                close()
                throw PostgresError(.connectionLost, .connect, reason)
            }
            let events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT
            _ = try wait(for: Int16(events), until: deadline, phase: .connect)
            status = PQconnectPoll(started)
        }
        usesTLS = PQsslInUse(started) == 1
        guard PQsetnonblocking(started, 1) == 0 else { throw lost(.connect) }
    }

    private static func start(_ options: [(keyword: String, value: String)]) -> OpaquePointer? {
        var keywords: [UnsafePointer<CChar>?] = []
        var values: [UnsafePointer<CChar>?] = []
        defer { (keywords + values).forEach { free(UnsafeMutablePointer(mutating: $0)) } }
        for option in options {
            keywords.append(UnsafePointer(strdup(option.keyword)))
            values.append(UnsafePointer(strdup(option.value)))
        }
        keywords.append(nil)
        values.append(nil)
        return PQconnectStartParams(keywords, values, 0)
    }

    private func applySettings(until deadline: Deadline) throws(PostgresError) {
        var sql = ""
        for setting in configuration.sessionSettings {
            let isName = setting.name.utf8.allSatisfy { byte in
                byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a)
            }
            guard isName, !setting.name.isEmpty else {
                throw PostgresError(.configuration, .connect, "\(setting.name) is no name of a setting")
            }
            sql += "SET \(setting.name) = \(try literal(setting.value));"
        }
        try run(simple: sql, phase: .connect, until: deadline)
    }

    /// The text as a literal of SQL, quotes included.
    public func literal(_ text: String) throws(PostgresError) -> String {
        guard let handle, let escaped = PQescapeLiteral(handle, text, text.utf8.count) else {
            throw PostgresError(.misuse, .statement, "a text cannot be written as a literal")
        }
        defer { PQfreemem(escaped) }
        return String(cString: escaped)
    }

    /// The name of a table, schema or database as SQL, quotes included.
    public func identifier(_ name: String) throws(PostgresError) -> String {
        guard let handle, let escaped = PQescapeIdentifier(handle, name, name.utf8.count) else {
            throw PostgresError(.misuse, .statement, "a text cannot be written as an identifier")
        }
        defer { PQfreemem(escaped) }
        return String(cString: escaped)
    }
}

extension PostgresConnection {
    /// The deadline of an answer that is waited for from now on.
    var answerDeadline: Deadline {
        let deadline = Deadline.after(answerTimeout)
        guard let limit else { return deadline }
        return min(limit, deadline)
    }

    /// What to throw when libpq reports trouble with the connection; closes it.
    func lost(_ phase: PostgresError.Phase, statement: String? = nil) -> PostgresError {
        var error = PostgresError(.connectionLost, phase, "the connection is not open", statement: statement)
        if let handle {
            let reason = PostgresError.oneLine(String(cString: PQerrorMessage(handle)))
            error = PostgresError(
                .connectionLost, phase, reason.isEmpty ? "the connection was lost" : reason, statement: statement)
            error.mayHaveCommitted = mayHaveCommitted
        }
        close()
        return error
    }

    /// Whether something was sent that the server may commit although this side does not hear of it.
    private var mayHaveCommitted: Bool {
        guard isBusy else { return false }
        if pipelineState.isOpen { return pipelineState.mayHaveCommitted }
        return isCommitting || !transactionWasOpen
    }

    /// Waits for the socket. Closes the connection and throws when the deadline passes first.
    func wait(for events: Int16, until deadline: Deadline, phase: PostgresError.Phase) throws(PostgresError) -> Int16 {
        guard let handle else { throw lost(phase) }
        while true {
            var entry = pollfd(fd: PQsocket(handle), events: events, revents: 0)
            let left = deadline.remainingMilliseconds
            // TLS may hold bytes that the socket no longer shows, so it is asked again after a moment.
            let ready = poll(&entry, 1, usesTLS ? min(left, 100) : left)
            if ready > 0 { return entry.revents }
            if ready < 0, errno != EINTR { throw lost(phase) }
            if deadline.remainingMilliseconds == 0 {
                var error = PostgresError(.deadlineExceeded, phase, "no answer in time; the connection was closed")
                error.mayHaveCommitted = mayHaveCommitted
                close()
                throw error
            }
            if ready == 0, usesTLS { return Int16(POLLIN) }
        }
    }

    /// Hands everything libpq has collected to the socket, taking in answers meanwhile, so that neither side waits for
    /// the other with full buffers.
    func flush(until deadline: Deadline, phase: PostgresError.Phase) throws(PostgresError) {
        while true {
            guard let handle else { throw lost(phase) }
            switch PQflush(handle) {
            case 0: return
            case 1:
                let ready = try wait(for: Int16(POLLIN | POLLOUT), until: deadline, phase: phase)
                if ready & Int16(POLLIN) != 0, PQconsumeInput(handle) == 0 { throw lost(phase) }
            default: throw lost(phase)
            }
        }
    }

    /// The next result; nil where libpq marks the end of a statement.
    func nextResult(until deadline: Deadline, phase: PostgresError.Phase) throws(PostgresError) -> OpaquePointer? {
        while true {
            guard let handle else { throw lost(phase) }
            if PQisBusy(handle) == 0 { return PQgetResult(handle) }
            try flush(until: deadline, phase: phase)
            _ = try wait(for: Int16(POLLIN), until: deadline, phase: phase)
            guard PQconsumeInput(handle) == 1 else { throw lost(phase) }
        }
    }
}
