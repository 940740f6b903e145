import Postgres
import TestSupport
import Testing

@Suite struct PipelineTests {
    private static func prepared(_ database: TestDatabase) throws -> PostgresConnection {
        let connection = try database.connect()
        try connection.execute("CREATE TABLE t (id int8 PRIMARY KEY)")
        try connection.prepare("add", "INSERT INTO t SELECT * FROM unnest($1::int8[]) RETURNING id")
        try connection.prepare("count", "SELECT count(*) FROM t")
        return connection
    }

    private static func ids(_ values: [Int64]) -> PostgresParameters {
        let array = PostgresArray(of: .int8)
        for value in values { array.append(int8: value) }
        let parameters = PostgresParameters()
        parameters.append(array)
        return parameters
    }

    private static func count(_ connection: PostgresConnection) throws -> Int {
        try connection.query("count").int(0, 0)
    }

    @Test func answersComeInOrder() throws {
        let connection = try Self.prepared(TestDatabase())
        let counts = try connection.pipeline { pipeline in
            try pipeline.sendBegin()
            try pipeline.send("add", Self.ids([1, 2]))
            try pipeline.send("count")
            try pipeline.sync()
            try pipeline.next()
            #expect(try pipeline.next().rowCount == 2)
            let first = try pipeline.next().int(0, 0)
            try pipeline.send("add", Self.ids([3]))
            try pipeline.send("count")
            try pipeline.sendCommit()
            try pipeline.sync()
            try pipeline.next()
            let second = try pipeline.next().int(0, 0)
            #expect(try pipeline.next().commandTag == "COMMIT")
            return [first, second]
        }
        #expect(counts == [2, 3])
        #expect(try Self.count(connection) == 3)
        #expect(connection.isHealthy)
    }

    @Test func parametersAndArraysCanBeUsedAgainAtOnce() throws {
        let connection = try Self.prepared(TestDatabase())
        let array = PostgresArray(of: .int8)
        let parameters = PostgresParameters()
        let rows = try connection.pipeline { pipeline in
            for round in 0..<50 {
                array.removeAll()
                for index in 0..<100 { array.append(int8: Int64(round * 100 + index)) }
                parameters.removeAll()
                parameters.append(array)
                try pipeline.send("add", parameters)
            }
            try pipeline.sync()
            return try (0..<50).flatMap { _ in try pipeline.next().rows.map { try $0.int(0) } }
        }
        #expect(rows == Array(0..<5000))
    }

    @Test func whatIsToBeDoneMeanwhileDoesNotWaitForAServerThatTakesNothing() throws {
        let database = try TestDatabase()
        let proxy = try FaultProxy(upstream: database.server.port)
        var configuration = try database.configuration(port: proxy.port)
        configuration.answerTimeout = .milliseconds(150)
        let connection = PostgresConnection(configuration: configuration)
        try connection.connect()
        try connection.prepare("length", "SELECT length($1::bytea)")
        proxy.stall()
        // More than any socket buffer holds.
        let parameters = PostgresParameters()
        parameters.append(bytes: [UInt8](repeating: 7, count: 30_000_000))
        var isDone = false
        let error = #expect(throws: PostgresError.self) {
            try connection.pipeline { pipeline in
                try pipeline.send("length", parameters)
                try pipeline.sync { isDone = true }
            }
        }
        #expect(error?.kind == .deadlineExceeded)
        #expect(isDone)
    }

    @Test func theFirstErrorIsThrownAndTheRestSkipped() throws {
        let connection = try Self.prepared(TestDatabase())
        try connection.pipeline { pipeline in
            try pipeline.send("add", Self.ids([1]))
            try pipeline.send("add", Self.ids([2, 2]))
            try pipeline.send("add", Self.ids([3]))
            try pipeline.sync()
            try pipeline.send("add", Self.ids([4]))
            try pipeline.sync()
            #expect(try pipeline.next().rowCount == 1)
            let error = #expect(throws: PostgresError.self) { try pipeline.next() }
            #expect(error?.sqlState == .uniqueViolation)
            #expect(error?.statement == "add")
            // The next group stands for itself.
            #expect(try pipeline.next().int(0, 0) == 4)
            let misuse = #expect(throws: PostgresError.self) { try pipeline.next() }
            #expect(misuse?.kind == .misuse)
        }
        #expect(try Self.count(connection) == 1)
        #expect(connection.isHealthy)
    }

    @Test func anErrorNobodyReadIsThrownAtTheEnd() throws {
        let connection = try Self.prepared(TestDatabase())
        let error = #expect(throws: PostgresError.self) {
            try connection.pipeline { pipeline in
                try pipeline.send("add", Self.ids([1, 1]))
                try pipeline.send("count")
            }
        }
        #expect(error?.sqlState == .uniqueViolation)
        #expect(connection.isHealthy)
    }

    @Test func theBodysErrorWinsAndTheConnectionStaysUsable() throws {
        struct Stop: Error {}
        let connection = try Self.prepared(TestDatabase())
        #expect(throws: Stop.self) {
            try connection.pipeline { pipeline in
                try pipeline.sendBegin()
                try pipeline.send("add", Self.ids([1]))
                try pipeline.send("add", Self.ids([1]))
                try pipeline.sync()
                try pipeline.send("count")
                throw Stop()
            }
        }
        #expect(connection.isInTransaction)
        connection.rollback()
        #expect(try Self.count(connection) == 0)
        #expect(connection.isHealthy)
    }

    @Test func anErrorInsideATransactionTurnsTheCommitIntoOne() throws {
        let connection = try Self.prepared(TestDatabase())
        let error = #expect(throws: PostgresError.self) {
            try connection.pipeline { pipeline in
                try pipeline.sendBegin()
                try pipeline.send("add", Self.ids([1, 1]))
                try pipeline.sync()
                try pipeline.next()
                do throws(PostgresError) {
                    try pipeline.next()
                    Issue.record("the statement should have failed")
                } catch {
                    #expect(error.sqlState == .uniqueViolation)
                }
                try pipeline.sendCommit()
                try pipeline.sync()
                try pipeline.next()
            }
        }
        #expect(error?.phase == .commit)
        #expect(error?.sqlState == .inFailedTransaction)
        #expect(!connection.isInTransaction)
    }

    @Test func deferredChecksShowAtTheSync() throws {
        let connection = try TestDatabase().connect()
        try connection.execute("CREATE TABLE t (id int8 UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        try connection.prepare("add", "INSERT INTO t SELECT * FROM unnest($1::int8[])")
        let error = #expect(throws: PostgresError.self) {
            try connection.pipeline { pipeline in
                try pipeline.send("add", Self.ids([1, 1]))
                try pipeline.sync()
                #expect(try pipeline.next().affectedRows == 2)
            }
        }
        #expect(error?.sqlState == .uniqueViolation)
        #expect(error?.phase == .commit)
        #expect(connection.isHealthy)
    }

    @Test func flushBringsAnswersWithoutEndingTheGroup() throws {
        let connection = try Self.prepared(TestDatabase())
        #expect(throws: PostgresError.self) {
            try connection.pipeline { pipeline in
                try pipeline.send("add", Self.ids([1]))
                try pipeline.flush()
                #expect(try pipeline.next().rowCount == 1)
                try pipeline.send("add", Self.ids([1]))
                try pipeline.flush()
                try pipeline.next()
            }
        }
        #expect(try Self.count(connection) == 0)
        #expect(connection.isHealthy)
    }

    @Test func bigGroupsDoNotBlockBothSides() throws {
        let connection = try TestDatabase().connect()
        try connection.prepare("echo", "SELECT $1::bytea")
        let parameters = PostgresParameters()
        parameters.append(bytes: [UInt8](repeating: 3, count: 1_000_000))
        let total = try connection.pipeline { pipeline in
            for _ in 0..<40 { try pipeline.send("echo", parameters) }
            try pipeline.sync()
            return try (0..<40).reduce(0) { sum, _ in try sum + pipeline.next().bytes(0, 0).count }
        }
        #expect(total == 40_000_000)
    }

    @Test(arguments: [true, false])
    func aLostAnswerToCommitIsSaidSo(forwards: Bool) async throws {
        let database = try TestDatabase()
        let direct = try Self.prepared(database)
        let proxy = try FaultProxy(upstream: database.server.port)
        let connection = PostgresConnection(configuration: try database.configuration(port: proxy.port))
        try connection.connect()
        try connection.prepare("add", "INSERT INTO t SELECT * FROM unnest($1::int8[])")
        proxy.when("COMMIT\0", .toServer, forwards: forwards, then: .close)
        let error = #expect(throws: PostgresError.self) {
            try connection.pipeline { pipeline in
                try pipeline.sendBegin()
                try pipeline.send("add", Self.ids([1]))
                try pipeline.sync()
                try pipeline.next()
                try pipeline.next()
                try pipeline.sendCommit()
                try pipeline.sync()
                try pipeline.next()
            }
        }
        #expect(error?.phase == .commit)
        #expect(error?.mayHaveCommitted == true)
        try await eventually { try Self.count(direct) == (forwards ? 1 : 0) }
        // Lost before the COMMIT: nothing can have been committed.
        try connection.connect()
        let before = #expect(throws: PostgresError.self) {
            try connection.pipeline { pipeline in
                try pipeline.sendBegin()
                try pipeline.sync()
                try pipeline.next()
                proxy.when("add", .toServer, forwards: true, then: .reset)
                try pipeline.send("add", Self.ids([2]))
                try pipeline.sync()
                try pipeline.next()
            }
        }
        #expect(before?.isConnectionLost == true)
        #expect(before?.mayHaveCommitted == false)
        #expect(before?.phase == .statement)
    }
}
