internal import CLibPQ

/// Several statements sent without waiting for each other's answers.
///
/// Answers come in the order of the statements. Outside a transaction, the statements up to a `sync()` are one
/// transaction of their own. When a statement fails, the server skips those that follow it up to the next sync:
/// `next()` throws the first error and has then read everything up to that sync.
public final class PostgresPipeline {
    private enum Item {
        case statement(String?)
        case begin
        case commit
        case sync
    }

    private unowned let connection: PostgresConnection
    private var items: [Item] = []
    private var head = 0
    /// Items before this index will be answered without anything more being sent.
    private var requested = 0
    private var commitsOutstanding = 0
    /// Whether the statements that are being answered need a COMMIT to last.
    private var isInTransaction = false
    private(set) var isOpen = false
    private let noParameters = PostgresParameters()
    /// Bytes of parameters that were queued since something was handed to the socket.
    private var unsent = 0

    /// Past this many bytes the server may as well begin while the rest is being put together.
    private static let headStart = 16 * 1024

    init(connection: PostgresConnection) {
        self.connection = connection
    }

    func forget() {
        items.removeAll(keepingCapacity: true)
        head = 0
        requested = 0
        commitsOutstanding = 0
        unsent = 0
        isOpen = false
    }

    var mayHaveCommitted: Bool {
        if commitsOutstanding > 0 { return true }
        guard !isInTransaction else { return false }
        // Without BEGIN a sync commits by itself.
        return items[head...].contains { if case .sync = $0 { true } else { false } }
    }

    private var phase: PostgresError.Phase { commitsOutstanding > 0 ? .commit : .statement }

    func open() throws(PostgresError) {
        let handle = try connection.beginStatement(.statement)
        guard PQenterPipelineMode(handle) == 1 else { throw connection.lost(.statement) }
        forget()
        isInTransaction = connection.transactionWasOpen
        isOpen = true
    }

    private func handle() throws(PostgresError) -> OpaquePointer {
        guard let handle = connection.handle, isOpen else { throw connection.lost(phase) }
        return handle
    }

    /// Queues a prepared statement. Parameters and arrays may be emptied and filled anew right afterwards.
    public func send(_ statement: String, _ parameters: PostgresParameters) throws(PostgresError) {
        let handle = try handle()
        try connection.check(statement, parameters)
        parameters.resolve()
        let sent = PQsendQueryPrepared(
            handle, statement, Int32(parameters.count), parameters.values, parameters.lengths, parameters.formats, 1)
        guard sent == 1 else { throw connection.lost(phase, statement: statement) }
        items.append(.statement(statement))
        unsent += parameters.byteCount
        guard unsent >= Self.headStart else { return }
        unsent = 0
        // What the socket does not take now goes with the sync.
        guard PQflush(handle) >= 0 else { throw connection.lost(phase, statement: statement) }
    }

    /// Queues a prepared statement without parameters.
    public func send(_ statement: String) throws(PostgresError) { try send(statement, noParameters) }

    /// Queues the opening of a transaction; its answer is to be read like any other. It stays open beyond the pipeline
    /// until a COMMIT or `PostgresConnection.rollback()`.
    public func sendBegin(_ mode: PostgresTransactionMode = .readCommitted) throws(PostgresError) {
        try send(sql: mode.sql, as: .begin)
        isInTransaction = true
    }

    /// Queues a COMMIT; its answer is to be read like any other.
    ///
    /// From here until its answer has been read, a lost connection leaves the outcome open: the error then says
    /// `mayHaveCommitted`, and its phase is `.commit`.
    public func sendCommit() throws(PostgresError) {
        commitsOutstanding += 1
        try send(sql: "COMMIT", as: .commit)
    }

    private func send(sql: String, as item: Item) throws(PostgresError) {
        guard PQsendQueryParams(try handle(), sql, 0, nil, nil, nil, nil, 1) == 1 else { throw connection.lost(phase) }
        items.append(item)
    }

    /// Ends the group of statements that an error skips, and sends everything. `meanwhile` runs once the socket has
    /// what it takes without waiting; a server that is gone does not keep it from running.
    public func sync(meanwhile: () -> Void = {}) throws(PostgresError) {
        guard PQpipelineSync(try handle()) == 1 else { throw connection.lost(phase) }
        items.append(.sync)
        requested = items.count
        meanwhile()
        try connection.flush(until: connection.answerDeadline, phase: phase)
    }

    /// Sends everything and asks for the answers, without ending the group of statements.
    public func flush() throws(PostgresError) {
        guard PQsendFlushRequest(try handle()) == 1 else { throw connection.lost(phase) }
        requested = items.count
        try connection.flush(until: connection.answerDeadline, phase: phase)
    }

    /// The rows of the next statement, in the order of sending.
    ///
    /// - Throws: the first error of a group, after everything up to its sync has been read, so that the pipeline can be
    ///   used on. A COMMIT that the server turned into a rollback is an error, too.
    @discardableResult
    public func next() throws(PostgresError) -> PostgresResult {
        let deadline = connection.answerDeadline
        while head < requested, case .sync = items[head] { try readSync(until: deadline) }
        guard head < requested else {
            throw PostgresError(.misuse, phase, "no statement is waiting for its answer")
        }
        let item = items[head]
        let result = try read(until: deadline)
        advance()
        if case .commit = item, result.commandTag == "ROLLBACK" {
            throw PostgresError(
                .server, .commit, "the transaction had failed and was rolled back", sqlState: .inFailedTransaction)
        }
        return result
    }

    /// Reads the answer of the statement at the head.
    private func read(until deadline: Deadline) throws(PostgresError) -> PostgresResult {
        guard let raw = try connection.nextResult(until: deadline, phase: phase) else {
            throw connection.lost(phase)
        }
        let result = PostgresResult(raw)
        switch PQresultStatus(raw) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: break
        case PGRES_FATAL_ERROR: throw try failed(raw, until: deadline)
        default:
            throw lost("unexpected answer in a pipeline; the connection was closed")
        }
        // Every statement's answer ends with an empty one.
        if let extra = try connection.nextResult(until: deadline, phase: phase) {
            PQclear(extra)
            throw lost("more than one answer to a statement; the connection was closed")
        }
        return result
    }

    /// The error in a result, once everything up to the sync has been read.
    private func failed(_ raw: OpaquePointer, until deadline: Deadline) throws(PostgresError) -> PostgresError {
        var (statement, failedPhase): (String?, PostgresError.Phase) = (nil, .statement)
        switch items[head] {
        case .statement(let name): statement = name
        case .begin: failedPhase = .begin
        case .commit, .sync: failedPhase = .commit
        }
        let error = PostgresError.of(result: raw, phase: failedPhase, statement: statement)
        if error.isConnectionLost { return lost(error.message, sqlState: error.sqlState) }
        if case .sync = items[head] {} else { try drain(until: deadline) }
        return error
    }

    /// Closes the connection. The error tells of a COMMIT that may have been carried out, wherever the session broke.
    private func lost(_ message: String, sqlState: SQLState? = nil) -> PostgresError {
        connection.settle(PostgresError(.connectionLost, phase, message, sqlState: sqlState))
    }

    /// Reads up to the next sync, sending one first if there is none.
    private func drain(until deadline: Deadline) throws(PostgresError) {
        var hasSync = false
        for item in items[head...] {
            if case .sync = item { hasSync = true }
        }
        if !hasSync { try sync() }
        while true {
            guard let raw = try connection.nextResult(until: deadline, phase: phase) else { continue }
            let status = PQresultStatus(raw)
            PQclear(raw)
            if status == PGRES_PIPELINE_SYNC { break }
            guard connection.isOpen else { throw connection.lost(phase) }
        }
        while head < items.count {
            if case .sync = items[head] {
                advance()
                return
            }
            advance()
        }
    }

    private func readSync(until deadline: Deadline) throws(PostgresError) {
        var failure: PostgresError?
        while true {
            // An implicit transaction is committed at its sync, so an error may still come here.
            guard let raw = try connection.nextResult(until: deadline, phase: phase) else { continue }
            let status = PQresultStatus(raw)
            if status == PGRES_FATAL_ERROR, failure == nil { failure = try failed(raw, until: deadline) }
            PQclear(raw)
            if let failure, failure.isConnectionLost { throw failure }
            if status == PGRES_PIPELINE_SYNC { break }
        }
        advance()
        if let failure { throw failure }
    }

    private func advance() {
        if case .commit = items[head] {
            commitsOutstanding -= 1
            isInTransaction = commitsOutstanding > 0
        }
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
            requested = 0
        }
    }

    /// Reads whatever has not been read and leaves pipeline mode.
    func finish() throws(PostgresError) {
        guard isOpen else { return }
        var failure: PostgresError?
        if requested < items.count || !items.isEmpty && !endsWithSync { try sync() }
        while head < items.count {
            do throws(PostgresError) {
                if case .sync = items[head] {
                    try readSync(until: connection.answerDeadline)
                } else {
                    _ = try next()
                }
            } catch {
                if error.isConnectionLost { throw error }
                if failure == nil { failure = error }
            }
        }
        guard PQexitPipelineMode(try handle()) == 1 else { throw connection.lost(phase) }
        isOpen = false
        connection.isBusy = false
        if let failure { throw failure }
    }

    private var endsWithSync: Bool {
        if case .sync = items.last { return true }
        return false
    }
}
