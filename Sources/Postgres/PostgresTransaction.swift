/// How a transaction sees the others.
public enum PostgresTransactionMode: Sendable, Hashable {
    /// Each statement sees what was committed before it began.
    case readCommitted
    /// All statements see the same moment.
    case repeatableRead
    /// All statements see the same moment, and nothing can be written.
    case readOnlySnapshot
    /// As if transactions ran one after another.
    case serializable

    var sql: String {
        switch self {
        case .readCommitted: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        case .repeatableRead: "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE"
        case .readOnlySnapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        case .serializable: "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"
        }
    }
}

extension PostgresConnection {
    /// Lends the connection in pipeline mode. Whatever the body leaves unread is read afterwards; an error found there
    /// is thrown unless the body threw one.
    public func pipeline<T>(_ body: (PostgresPipeline) throws -> T) throws -> T {
        let pipeline = pipelineState
        try pipeline.open()
        let value: T
        do {
            value = try body(pipeline)
        } catch {
            // A failure to tidy up closes the connection by itself; the body's error says what went wrong first.
            try? pipeline.finish()
            throw error
        }
        try pipeline.finish()
        return value
    }

    /// Runs the body in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// A connection lost while the COMMIT was on its way leaves the outcome open: the error says `mayHaveCommitted`.
    public func transaction<T>(
        _ mode: PostgresTransactionMode = .readCommitted, _ body: (PostgresConnection) throws -> T
    ) throws -> T {
        guard !isInTransaction else {
            throw PostgresError(.misuse, .begin, "a transaction is open already")
        }
        try run(simple: mode.sql, phase: .begin, until: nil)
        let value: T
        do {
            value = try body(self)
        } catch {
            rollback()
            throw error
        }
        try commit()
        return value
    }

    private func commit() throws(PostgresError) {
        guard isOpen else { throw lost(.commit) }
        isCommitting = true
        defer { isCommitting = false }
        let tag = try tag(ofSimple: "COMMIT", phase: .commit)
        guard tag != "ROLLBACK" else {
            throw PostgresError(
                .server, .commit, "the transaction had failed and was rolled back", sqlState: .inFailedTransaction)
        }
    }

    /// Rolls an open transaction back; closes the connection if that cannot be done, which has the same effect.
    public func rollback() {
        guard isOpen, isInTransaction else { return }
        do throws(PostgresError) {
            try run(simple: "ROLLBACK", phase: .rollback, until: nil)
        } catch {
            close()
        }
    }
}
