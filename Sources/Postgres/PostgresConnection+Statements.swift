internal import CLibPQ

extension PostgresConnection {
    func beginStatement(_ phase: PostgresError.Phase) throws(PostgresError) -> OpaquePointer {
        guard let handle else { throw lost(phase) }
        guard !isBusy, !pipelineState.isOpen else {
            throw PostgresError(.misuse, phase, "an earlier statement or pipeline has not been finished")
        }
        transactionWasOpen = isInTransaction
        isBusy = true
        return handle
    }

    /// Runs one or more statements without parameters and forgets their rows.
    public func execute(_ sql: String) throws(PostgresError) {
        try run(simple: sql, phase: .statement, until: nil)
    }

    func run(simple sql: String, phase: PostgresError.Phase, until deadline: Deadline?) throws(PostgresError) {
        _ = try tag(ofSimple: sql, phase: phase, until: deadline)
    }

    func tag(
        ofSimple sql: String, phase: PostgresError.Phase, until deadline: Deadline? = nil
    ) throws(PostgresError) -> String {
        let handle = try beginStatement(phase)
        guard PQsendQuery(handle, sql) == 1 else { throw lost(phase) }
        return try collect(phase, statement: nil, until: deadline).commandTag
    }

    /// Runs a prepared statement and returns its rows.
    public func query(_ statement: String, _ parameters: PostgresParameters) throws(PostgresError) -> PostgresResult {
        try check(statement, parameters)
        let handle = try beginStatement(.statement)
        parameters.resolve()
        let sent = PQsendQueryPrepared(
            handle, statement, Int32(parameters.count), parameters.values, parameters.lengths, parameters.formats, 1)
        guard sent == 1 else { throw lost(.statement, statement: statement) }
        return try collect(.statement, statement: statement, until: nil)
    }

    /// Runs a prepared statement without parameters.
    public func query(_ statement: String) throws(PostgresError) -> PostgresResult {
        try query(statement, PostgresParameters())
    }

    /// Runs one statement that was not prepared.
    public func query(
        sql: String, _ parameters: PostgresParameters = PostgresParameters()
    ) throws(PostgresError) -> PostgresResult {
        let handle = try beginStatement(.statement)
        parameters.resolve()
        let sent = PQsendQueryParams(
            handle, sql, Int32(parameters.count), parameters.oids, parameters.values, parameters.lengths,
            parameters.formats, 1)
        guard sent == 1 else { throw lost(.statement) }
        return try collect(.statement, statement: nil, until: nil)
    }

    /// Reads the answer to the end; the last result counts, as with several statements in one text.
    private func collect(
        _ phase: PostgresError.Phase, statement: String?, until fixed: Deadline?
    ) throws(PostgresError) -> PostgresResult {
        let deadline = fixed ?? answerDeadline
        try flush(until: deadline, phase: phase)
        var failure: PostgresError?
        var last: PostgresResult?
        while let raw = try nextResult(until: deadline, phase: phase) {
            let result = PostgresResult(raw)
            switch PQresultStatus(raw) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: last = result
            case PGRES_FATAL_ERROR:
                if failure == nil { failure = PostgresError.of(result: raw, phase: phase, statement: statement) }
            default:
                close()
                throw PostgresError(.misuse, phase, "COPY is not supported; the connection was closed")
            }
        }
        if let failure { throw settle(failure) }
        isBusy = false
        guard let last else { throw lost(phase, statement: statement) }
        return last
    }

    /// Completes an error that the server sent: a session it has ended is closed on this side, too.
    func settle(_ failure: PostgresError) -> PostgresError {
        guard failure.isConnectionLost || !isOpen else {
            isBusy = false
            return failure
        }
        let reason = lost(failure.phase, statement: failure.statement)
        var error = failure
        if !failure.isConnectionLost {
            error = PostgresError(
                .connectionLost, failure.phase, failure.message, sqlState: failure.sqlState,
                statement: failure.statement)
        }
        error.mayHaveCommitted = reason.mayHaveCommitted
        return error
    }

    /// Registers a statement under a name; prepared at once when the session is open, and again at every `connect()`.
    public func prepare(_ name: String, _ sql: String) throws(PostgresError) {
        guard !registry.contains(where: { $0.name == name }) else {
            throw PostgresError(.misuse, .prepare, "a statement named \(name) is registered already")
        }
        registry.append((name, sql))
        guard isOpen else { return }
        do throws(PostgresError) {
            try prepare([(name, sql)], until: answerDeadline)
        } catch {
            registry.removeLast()
            throw error
        }
    }

    func prepareRegistered(until deadline: Deadline) throws(PostgresError) {
        guard !registry.isEmpty else { return }
        try prepare(registry, until: deadline)
    }

    /// Prepares statements in one round trip and learns the types of their parameters.
    private func prepare(_ statements: [(name: String, sql: String)], until deadline: Deadline) throws(PostgresError) {
        let handle = try beginStatement(.prepare)
        guard PQenterPipelineMode(handle) == 1 else { throw lost(.prepare) }
        for statement in statements {
            guard PQsendPrepare(handle, statement.name, statement.sql, 0, nil) == 1,
                PQsendDescribePrepared(handle, statement.name) == 1
            else { throw lost(.prepare, statement: statement.name) }
        }
        guard PQpipelineSync(handle) == 1 else { throw lost(.prepare) }
        try flush(until: deadline, phase: .prepare)
        var failure: PostgresError?
        var index = 0
        while true {
            guard let raw = try nextResult(until: deadline, phase: .prepare) else {
                index += 1
                continue
            }
            let result = PostgresResult(raw)
            let status = PQresultStatus(raw)
            if status == PGRES_PIPELINE_SYNC { break }
            // Two answers a statement: it was prepared, and what it takes.
            let name = index / 2 < statements.count ? statements[index / 2].name : nil
            if status == PGRES_FATAL_ERROR, failure == nil {
                failure = PostgresError.of(result: raw, phase: .prepare, statement: name)
                if failure?.isConnectionLost == true { break }
            } else if status == PGRES_COMMAND_OK, !index.isMultiple(of: 2), let name {
                prepared[name] = (0..<PQnparams(raw)).map { PQparamtype(raw, $0) }
            }
            _ = result
        }
        if let failure, failure.isConnectionLost { throw settle(failure) }
        guard PQexitPipelineMode(handle) == 1 else { throw lost(.prepare) }
        isBusy = false
        if let failure { throw failure }
    }

    /// Compares number and types of the parameters with those the server expects: a value in the wrong binary form
    /// could otherwise pass for another value.
    func check(_ statement: String, _ parameters: PostgresParameters) throws(PostgresError) {
        guard let expected = prepared[statement] else {
            guard isOpen else { throw lost(.statement, statement: statement) }
            throw PostgresError(.misuse, .statement, "no statement of that name is prepared", statement: statement)
        }
        guard expected.count == parameters.count else {
            throw PostgresError(
                .misuse, .statement, "the statement takes \(expected.count) parameters, not \(parameters.count)",
                statement: statement)
        }
        for index in 0..<expected.count {
            let sent = parameters.oid(at: index)
            guard expected[index] == sent || PostgresType.accepts(declared: expected[index], sent: sent) else {
                let wanted = PostgresType.name(ofOID: expected[index])
                throw PostgresError(
                    .misuse, .statement,
                    "parameter $\(index + 1) is \(wanted), not \(PostgresType.name(ofOID: sent))", statement: statement)
            }
        }
    }
}
