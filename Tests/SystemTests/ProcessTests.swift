import Foundation
import JSON
import TestSupport
import Testing

extension SystemTests {
    /// How each process starts, waits, recovers and ends.
    @Suite struct ProcessTests {
        /// What is in flight at SIGTERM is answered; then the process ends with 0.
        @Test(.timeLimit(.minutes(3))) func apiAnswersWhatIsInFlightAndEndsWithZero() async throws {
            // The writes are to wait for a lock for as long as this machine needs, and not to give up.
            let settings = [
                "WALLET_LOCK_TIMEOUT_MS": "20000", "WALLET_STATEMENT_TIMEOUT_MS": "25000",
                "WALLET_REQUEST_TIMEOUT_MS": "30000",
            ]
            try await withStack(workers: 0, settings: settings) { stack in
                let api = stack.apis[0]
                let wallet = try await FaultTests.makeWallets(1, stack)[0]
                let holder = try await RowLock(wallet, stack)
                async let answers = blocking { try Self.inFlight(at: api.port, wallet, locked: holder, api) }
                let (writes, reads) = try await answers
                #expect(writes.map(\.status) == [201, 201, 201], "\(writes.map(\.summary))")
                #expect(reads.map(\.status) == [200, 200], "\(reads.map(\.summary))")
                // The reads waited for a version that never came, and then asked the ledger.
                #expect(reads.allSatisfy { $0.header("Wallet-Source") == "ledger" })
                #expect(try await api.waitForEnd(within: .seconds(20)) == .exit(0), "\(api.outputTail)")
                let entries = try await stack.count(
                    "SELECT count(*)::text FROM ledger.journal WHERE wallet_id = '\(wallet)'")
                #expect(entries == 4)
            }
        }

        /// Three writes that wait for a row and two reads that wait for a version; SIGTERM while all of them wait.
        private static func inFlight(
            at port: UInt16, _ wallet: String, locked holder: RowLock, _ api: WalletNode
        ) throws -> ([HTTPAnswer], [HTTPAnswer]) {
            let path = "/v1/wallet/\(wallet)"
            let writes = (0..<3).map { _ in HTTPConnection(port: port) }
            let reads = (0..<2).map { _ in HTTPConnection(port: port) }
            for connection in writes {
                try connection.send(.post("\(path)/transfers/debit", #"{"amount":"1.00","status":"completed"}"#))
            }
            for connection in reads { try connection.send(.get(path, ("Wallet-Min-Version", "999"))) }
            // One loop reads everything in its order of arrival: once this is answered, the others were read.
            for _ in 0..<3 { _ = try HTTPConnection(port: port).exchange(.get("/v1/health")) }
            api.terminate()
            // Refused from now on: the process knows that it is to end.
            let end = ContinuousClock.now + .seconds(10)
            while ContinuousClock.now < end, (try? HTTPConnection(port: port).exchange(.get("/v1/health"))) != nil {
                Attempts.pause()
            }
            holder.release()
            return (try writes.map { try $0.receive() }, try reads.map { try $0.receive() })
        }

        /// Without PostgreSQL: 503 with Retry-After within the deadline, alive, not ready; with it: all is well again.
        @Test(.timeLimit(.minutes(3))) func apiSurvivesTheAbsenceOfPostgreSQL() async throws {
            let settings = [
                "WALLET_REQUEST_TIMEOUT_MS": "3000", "WALLET_CONNECT_TIMEOUT_MS": "1000",
                "WALLET_STATEMENT_TIMEOUT_MS": "2000",
            ]
            try await withStack(settings: settings) { stack in
                let api = stack.apis[0]
                let wallet = try await FaultTests.makeWallets(1, stack)[0]
                try await stack.killDatabase()
                let path = "/v1/wallet/\(wallet)"
                let requests: [HTTPRequest] = [
                    .get(path), .get("\(path)?consistency=strong"), .get("\(path)/transfers"),
                    .get(path, ("Wallet-Min-Version", "2")),
                    .post("\(path)/transfers/debit", #"{"amount":"1.00","reference_id":"away"}"#),
                    .post("/v1/wallet", #"{"reference_id":"away"}"#),
                ]
                for request in requests {
                    let begin = ContinuousClock.now
                    let answer = try #require(await api.answer(request), "\(request.method) \(request.path)")
                    #expect(answer.status == 503, "\(request.path): \(answer.summary)")
                    #expect(answer.code == "storage_unavailable", "\(request.path): \(answer.summary)")
                    #expect(Int(answer.header("Retry-After") ?? "") ?? 0 > 0)
                    // The deadline is 3 s; the rest is for a machine that has much to do.
                    #expect(ContinuousClock.now - begin < .seconds(12), "\(request.method) \(request.path)")
                }
                #expect(await api.answer(.get("/v1/health"))?.status == 200)
                let ready = await api.answer(.get("/v1/ready"))
                #expect(ready?.status == 503 && ready?.code == "not_ready", "\(ready?.summary ?? "no answer")")
                try await stack.startDatabase()
                for node in stack.apis + stack.workers { try await node.untilReady() }
                let again = try #require(await api.answer(requests[4]))
                #expect(again.status == 201 && !again.isReplay, "\(again.summary)")
                #expect(await api.answer(.get(path, ("Wallet-Min-Version", "2")))?.json["version"]?.int64 == 2)
            }
        }

        /// A database that takes connections and never answers is told soon, for each check that needs it.
        @Test(.timeLimit(.minutes(3))) func readinessDoesNotHangWithPostgreSQL() async throws {
            let stack = try await WalletStack(apis: 0, workers: 0)
            let proxy = try FaultProxy(upstream: stack.postgres.port)
            var settings = stack.settings
            settings["DATABASE_URL"] = "postgresql://wallet:pg-secret-91c5@127.0.0.1:\(proxy.port)/postgres"
            let api = try WalletNode("api", 1, settings, in: stack.folder)
            try await api.start()
            proxy.stall()
            let begin = ContinuousClock.now
            let ready = await api.answer(.get("/v1/ready"))
            #expect(ready?.status == 503, "\(ready?.summary ?? "no answer")")
            let missing = ready?.json["not_ready"]?.array ?? []
            for name in ["database", "projections", "schema"] { #expect(missing.contains(.string(name)), "\(missing)") }
            // Two seconds; the rest is for a machine that has much to do.
            #expect(ContinuousClock.now - begin < .seconds(10))
            proxy.resume()
            try await api.untilReady()
            api.terminate()
            #expect(try await api.waitForEnd() == .exit(0), "\(api.outputTail)")
            try await stack.remove()
        }

        /// A worker that finds no broker stays, says that it is not ready, and goes to work when the broker comes.
        @Test(.timeLimit(.minutes(3))) func workerWaitsForNATS() async throws {
            let stack = try await WalletStack()
            try await stack.killBroker()
            try await stack.apis[0].start()
            try stack.workers[0].launch()
            let worker = stack.workers[0]
            try await eventually(within: .seconds(30), "the worker's operator port") {
                await worker.answer(.get("/v1/health"), from: worker.operatorPort)?.status == 200
            }
            let ready = await worker.answer(.get("/v1/ready"), from: worker.operatorPort)
            #expect(ready?.status == 503, "\(ready?.summary ?? "no answer")")
            let wallet = try await FaultTests.makeWallets(1, stack)[0]
            #expect(worker.isRunning)
            try await stack.startBroker()
            try await worker.untilReady()
            try await eventually(within: .seconds(30), "the wallet's projection") {
                let answer = await stack.apis[0].answer(.get("/v1/wallet/\(wallet)"))
                return answer?.header("Wallet-Source") == "projection"
            }
            worker.terminate()
            #expect(try await worker.waitForEnd() == .exit(0), "\(worker.outputTail)")
            try await stack.remove()
        }

        /// On a schema that is behind nothing starts, and the message is the command that mends it.
        @Test(.timeLimit(.minutes(2)), arguments: ["api", "worker"])
        func refusesASchemaThatIsBehind(role: String) async throws {
            let stack = try await WalletStack(migrated: false)
            var settings = stack.settings
            settings["WALLET_LISTEN"] = "127.0.0.1:\(try Ports.free())"
            settings["WALLET_OPERATOR_LISTEN"] = "127.0.0.1:\(try Ports.free())"
            let run = try await stack.run([role], settings: settings)
            #expect(run.end != .exit(0))
            if case .signal = run.end { Issue.record("\(run.end)") }
            #expect(run.output.contains("wallet migrate up"), "\(run.output)")
            #expect(!run.output.contains("secret"))
            try await stack.remove()
        }

        /// Everything that is wrong with the configuration is said at once, and no value that may be a secret.
        @Test(.timeLimit(.minutes(2)), arguments: ["api", "worker"])
        func namesAllBadVariablesAtOnce(role: String) async throws {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            let file = try folder.write(
                """
                DATABASE_URL=mysql://wallet:hunter2@127.0.0.1/wallet
                NATS_URL=http://nats:hunter3@127.0.0.1
                WALLET_OPERATOR_LISTEN=nowhere
                WALLET_LANES=many
                WALLET_STATEMENT_TIMEOUT_MS=-5
                WALLET_ASSETS=POINTS
                WALLET_LOG_LEVEL=loud
                """, to: "bad.env")
            let program = try ProgramProcess([WalletProgram.path(), role, "--config", file], in: folder, name: role)
            let end = try await program.waitForEnd()
            #expect(end == .exit(2), "\(end): \(program.output)")
            var names = [
                "DATABASE_URL", "WALLET_OPERATOR_LISTEN", "WALLET_LANES", "WALLET_STATEMENT_TIMEOUT_MS",
                "WALLET_ASSETS", "WALLET_LOG_LEVEL",
            ]
            if role == "worker" { names.append("NATS_URL") }
            for name in names { #expect(program.output.contains(name), "\(name) is not named: \(program.output)") }
            #expect(!program.output.contains("hunter"), "\(program.output)")
        }

        /// An unknown variable with our prefix is a typing mistake, and a missing database is said by name.
        @Test(.timeLimit(.minutes(2))) func namesWhatIsMissingAndWhatIsUnknown() async throws {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            let file = try folder.write("WALLET_LANE=3\n", to: "bad.env")
            let program = try ProgramProcess([WalletProgram.path(), "api", "--config", file], in: folder, name: "api")
            #expect(try await program.waitForEnd() == .exit(2))
            #expect(program.output.contains("DATABASE_URL"), "\(program.output)")
            #expect(program.output.contains("WALLET_LANE"), "\(program.output)")
        }

        /// No log, answer or metric shows a password, whatever goes wrong with the server it belongs to.
        @Test(.timeLimit(.minutes(3))) func neverShowsASecret() async throws {
            try await withStack { stack in
                let nodes = stack.apis + stack.workers
                _ = try await FaultTests.makeWallets(1, stack)
                try await stack.killBroker()
                try await stack.killDatabase()
                for node in nodes {
                    try await eventually(within: .seconds(30), "\(node.name) notices") { await !node.isReady }
                }
                try await stack.startDatabase()
                try await stack.startBroker()
                for node in nodes { try await node.untilReady() }
                var texts = nodes.map { ("log of \($0.name)", $0.output) }
                for node in nodes {
                    let metrics = await node.answer(.get("/metrics"), from: node.operatorPort)
                    texts.append(("metrics of \(node.name)", String(decoding: metrics?.body ?? [], as: UTF8.self)))
                }
                for role in ["api", "worker"] {
                    var settings = stack.settings
                    settings["WALLET_LOG_LEVEL"] = "debug"
                    texts.append(("config", try await stack.run(["config", "--for", role], settings: settings).output))
                }
                for (name, text) in texts {
                    #expect(!text.isEmpty, "the \(name) is empty")
                    #expect(!text.contains("secret"), "the \(name) shows a password")
                }
            }
        }
    }
}

/// Holds the lock of a wallet's row until it is released.
final class RowLock: @unchecked Sendable {
    private let gate = DispatchSemaphore(value: 0)

    /// Returns when the row is locked.
    init(_ wallet: String, _ stack: WalletStack) async throws {
        let (postgres, gate) = (stack.postgres, gate)
        let isLocked = Slot<Bool>()
        let thread = Thread {
            let locked: Void? = try? postgres.holding("SELECT 1 FROM ledger.wallets WHERE id = '\(wallet)' FOR UPDATE")
            {
                isLocked.value = true
                gate.wait()
            }
            if locked == nil { isLocked.value = false }
        }
        thread.start()
        try await eventually("the lock of the wallet's row") { isLocked.value == true }
    }

    func release() { gate.signal() }
}
