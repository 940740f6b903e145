import Events
@testable import HTTPServer
import JSON
import Ledger
import LedgerStore
import Observability
import Synchronization
import Testing

@testable import API

/// The routes on stand-ins for the storage: what they make of each answer it can give.
@Suite struct WalletAPITests {
    private static let wallet = "/v1/wallet/\(walletID.text)"
    private static let transfer = "\(wallet)/transfers/\(transferID.text)"

    private struct Setup {
        var verdict: BatchSide.Outcome = .failure(.inconsistent("unset"))
        var atomic: Result<AtomicVerdict, LedgerStoreError> = .failure(.inconsistent("unset"))
        var ledgerWallet: Wallet?
        var projectedWallet: @Sendable () -> Wallet? = { nil }
        var ledgerReceipt: Receipt?
        var projectedReceipt: Receipt?
        var ledgerPage: [Receipt] = []
        var projectedPage: [Receipt] = []
        var patience = Duration.seconds(2)
        var readiness: [ReadinessCheck] = []
        let metrics = MetricsRegistry()
        let lines = LogLines()
        let seen = Seen()

        func make() throws -> WalletAPI {
            let setup = self
            let service = WalletService(
                submit: { operation, origin in
                    setup.seen.operations.withLock { $0.append(operation) }
                    setup.seen.origins.withLock { $0.append(origin) }
                    return try setup.verdict.get()
                },
                batches: BatchSide(
                    each: { operations, _ in operations.map { _ in setup.verdict } },
                    all: { _, _, _ in try setup.atomic.get() }),
                ledger: ReadSide(
                    walletByID: { _ in .success(setup.ledgerWallet) },
                    transferByID: { _, _ in .success(setup.ledgerReceipt) },
                    transfersByQuery: { _, query in
                        setup.seen.queries.withLock { $0.append(query) }
                        return .success(Array(setup.ledgerPage.prefix(query.limit)))
                    }),
                projection: ReadSide(
                    walletByID: { _ in .success(setup.projectedWallet()) },
                    transferByID: { _, _ in .success(setup.projectedReceipt) },
                    transfersByQuery: { _, query in
                        setup.seen.queries.withLock { $0.append(query) }
                        return .success(Array(setup.projectedPage.prefix(query.limit)))
                    }),
                past: EmptyPast(), operators: IdleOperators())
            return WalletAPI(
                service: service,
                configuration: APIConfiguration(
                    assets: AssetTable(), defaultAsset: try asset(), projectionPatience: patience),
                readiness: readiness, metrics: metrics, logger: lines.logger(level: .info))
        }
    }

    private final class Seen: Sendable {
        let operations = Mutex<[Ledger.Operation]>([])
        let origins = Mutex<[EventOrigin]>([])
        let queries = Mutex<[TransferQuery]>([])
    }

    private func send(
        _ setup: Setup, _ method: String, _ target: String, _ body: String = "",
        headers: [(name: String, value: String)] = []
    ) async throws -> Reply {
        var fields = headers
        if !body.isEmpty { fields.append((name: "Content-Type", value: "application/json")) }
        return Reply(try await setup.make().respond(to: request(method, target, fields, body)))
    }

    // MARK: - Writes

    @Test func anOpenedWalletIsAnswered() async throws {
        var setup = Setup()
        setup.verdict = .success(.applied(Receipt(wallet: try makeWallet(version: 1), transfer: nil)))
        let reply = try await send(setup, "POST", "/v1/wallets", "{}", headers: [("X-Correlation-Id", "c-9")])
        #expect(reply.status == 201)
        #expect(reply["location"] == Self.wallet)
        #expect(reply["etag"] == #""1""#)
        #expect(reply["content-type"] == "application/json")
        #expect(reply["cache-control"] == "no-store")
        #expect(reply["x-correlation-id"] == "c-9")
        #expect(reply["traceparent"]?.utf8.count == 55)
        #expect(reply["idempotent-replayed"] == nil)
        #expect(try reply.json["id"]?.string == walletID.text)
        let origin = setup.seen.origins.withLock { $0.first }
        #expect(origin?.correlationID == "c-9")
        #expect(origin?.traceParent == reply["traceparent"])
    }

    @Test(arguments: [
        ("debit", #"{"amount":"10.50"}"#, 201), ("credit", #"{"amount":"10.50"}"#, 201),
        ("\(transferID.text)/complete", "", 200), ("\(transferID.text)/revert", "", 200),
        ("\(transferID.text)/reverse", "", 201), ("\(transferID.text)/extend", #"{"expires_in":60}"#, 200),
    ])
    func transfersAreAnswered(_ tail: String, _ body: String, _ status: Int) async throws {
        var setup = Setup()
        setup.verdict = .success(.applied(try makeReceipt()))
        let reply = try await send(setup, "POST", "\(Self.wallet)/transfers/\(tail)", body)
        #expect(reply.status == status)
        #expect(reply["location"] == (status == 201 ? Self.transfer : nil))
        #expect(reply["etag"] == #""3""#)
        #expect(try reply.json["wallet"]?["version"]?.int64 == 3)
    }

    @Test func repeatsSayThatTheyAre() async throws {
        var setup = Setup()
        setup.verdict = .success(.applied(try makeReceipt()))
        let body = #"{"amount":"10.50","reference_id":"k"}"#
        let first = try await send(setup, "POST", "\(Self.wallet)/transfers/credit", body)
        setup.verdict = .success(.replayed(.applied(try makeReceipt())))
        let second = try await send(setup, "POST", "\(Self.wallet)/transfers/credit", body)
        #expect(second.status == first.status)
        #expect(second.body == first.body)
        #expect(second["location"] == first["location"])
        #expect(second["etag"] == first["etag"])
        #expect(second["idempotent-replayed"] == "true")
        #expect(setup.metrics.text().contains("wallet_idempotent_replays_total 1"))
    }

    @Test func repeatedRefusalsHaveTheSameBody() async throws {
        var setup = Setup()
        let refusal = Refusal.insufficientFunds(available: 5, amount: 7, asset: try asset())
        let headers: [(name: String, value: String)] = [("X-Correlation-Id", "c"), ("Idempotency-Key", "k")]
        setup.verdict = .success(.refused(refusal, recorded: true))
        let path = "\(Self.wallet)/transfers/credit"
        let first = try await send(setup, "POST", path, #"{"amount":"0.07"}"#, headers: headers)
        setup.verdict = .success(.replayed(.refused(refusal)))
        let second = try await send(setup, "POST", path, #"{"amount":"0.07"}"#, headers: headers)
        #expect(first.status == 422)
        #expect(first["content-type"] == "application/problem+json")
        #expect(first["idempotent-replayed"] == nil)
        #expect(second.status == 422)
        #expect(second.body == first.body)
        #expect(second["idempotent-replayed"] == "true")
        #expect(setup.metrics.text().contains(#"wallet_problems_total{code="insufficient_funds"} 2"#))
    }

    @Test func theHeaderNamesTheVersionOfAMismatch() async throws {
        var setup = Setup()
        setup.verdict = .success(.refused(.versionMismatch(current: 8), recorded: false))
        let reply = try await send(
            setup, "POST", "\(Self.wallet)/transfers/debit", #"{"amount":"1"}"#, headers: [("If-Match", #""7""#)])
        #expect(reply.status == 412)
        #expect(reply["etag"] == #""8""#)
        #expect(setup.seen.operations.withLock { $0.first?.expectedVersion } == 7)
    }

    @Test func syntaxComesBeforeTheLedger() async throws {
        let setup = Setup()
        let cases: [(String, String, String, Int)] = [
            ("POST", "\(Self.wallet)/transfers/debit", #"{"amount":"0"}"#, 400),
            ("POST", "/v1/wallet/7/transfers/debit", #"{"amount":"0"}"#, 400),
            ("POST", "\(Self.wallet)/transfers/debit?x=1", #"{"amount":"1"}"#, 400),
            ("PUT", "\(Self.wallet)/transfers/debit", "nonsense", 405),
            ("POST", "\(Self.wallet)/transfers/nonsense/settle", "nonsense", 404),
            ("POST", "\(Self.wallet)/transfers/debit/", "{}", 404),
        ]
        for (method, target, body, status) in cases {
            #expect(try await send(setup, method, target, body).status == status, "\(method) \(target)")
        }
        let wrong = try await send(setup, "PUT", "\(Self.wallet)/transfers/debit")
        #expect(wrong["allow"] == "POST")
        #expect(setup.seen.operations.withLock { $0.isEmpty })
        #expect(setup.metrics.text().contains(#"route="unknown""#))
    }

    // MARK: - Failures

    @Test func failuresOfTheStorageAreLogged() async throws {
        var setup = Setup()
        setup.verdict = .failure(.overloaded(retryAfterSeconds: 2))
        let busy = try await send(setup, "POST", "/v1/wallet", "{}", headers: [("X-Correlation-Id", "c-7")])
        #expect(busy.status == 503)
        #expect(busy["retry-after"] == "2")
        #expect(try busy.json["code"]?.string == "overloaded")
        setup.verdict = .failure(.inconsistent("secret row"))
        let broken = try await send(setup, "POST", "/v1/wallet", "{}")
        #expect(broken.status == 500)
        #expect(!String(decoding: broken.body, as: UTF8.self).contains("secret"))
        let lines = setup.lines.all
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.contains(#""level":"error""#) && $0.contains("request_id") })
        #expect(lines.first?.contains(#""correlation_id":"c-7""#) == true)
        #expect(lines.last?.contains("secret row") == true)
    }

    @Test func successesAreNotLoggedAndRefusalsAre() async throws {
        var setup = Setup()
        setup.verdict = .success(.applied(try makeReceipt()))
        _ = try await send(setup, "POST", "\(Self.wallet)/transfers/debit", #"{"amount":"1"}"#)
        #expect(setup.lines.all.isEmpty)
        _ = try await send(setup, "POST", "\(Self.wallet)/transfers/debit", "{}")
        #expect(setup.lines.all.count == 1)
        #expect(setup.lines.all.first?.contains(#""level":"info""#) == true)
        #expect(setup.lines.all.first?.contains(#""fields":"amount""#) == true)
    }

    // MARK: - Reads

    @Test func theProjectionAnswers() async throws {
        var setup = Setup()
        let projected = try makeWallet(version: 3)
        setup.projectedWallet = { projected }
        setup.ledgerWallet = try makeWallet(version: 4)
        let usual = try await send(setup, "GET", Self.wallet)
        #expect(usual["wallet-source"] == "projection")
        #expect(usual["etag"] == #""3""#)
        let strong = try await send(setup, "GET", Self.wallet + "?consistency=strong")
        #expect(strong["wallet-source"] == "ledger")
        #expect(strong["etag"] == #""4""#)
        let reached = try await send(setup, "GET", Self.wallet + "?min_version=3")
        #expect(reached["wallet-source"] == "projection")
    }

    @Test func aMinimumVersionWaitsForTheProjection() async throws {
        var setup = Setup()
        // Far beyond what a busy machine needs: only an answer ends the wait.
        setup.patience = .seconds(300)
        let asked = Mutex(0)
        let (behind, there) = (try makeWallet(version: 3), try makeWallet(version: 5))
        setup.projectedWallet = {
            asked.withLock { asked in
                asked += 1
                return asked < 4 ? behind : there
            }
        }
        let reply = try await send(setup, "GET", Self.wallet, headers: [("Wallet-Min-Version", "5")])
        #expect(reply["wallet-source"] == "projection")
        #expect(reply["etag"] == #""5""#)
    }

    @Test func aProjectionThatStaysBehindIsPassedOver() async throws {
        var setup = Setup()
        setup.patience = .milliseconds(5)
        let behind = try makeWallet(version: 3)
        setup.projectedWallet = { behind }
        setup.ledgerWallet = try makeWallet(version: 5)
        setup.ledgerReceipt = try makeReceipt(version: 5)
        setup.projectedReceipt = try makeReceipt(version: 3)
        for target in [Self.wallet, Self.transfer] {
            let reply = try await send(setup, "GET", target + "?min_version=5")
            #expect(reply["wallet-source"] == "ledger")
            #expect(reply["etag"] == #""5""#)
        }
    }

    @Test func transfersOfAMinimumVersionComeFromTheLedger() async throws {
        var setup = Setup()
        let ahead = try makeWallet(version: 9)
        setup.projectedWallet = { ahead }
        setup.ledgerWallet = ahead
        setup.projectedReceipt = try makeReceipt(version: 3)
        setup.ledgerReceipt = try makeReceipt(version: 5)
        setup.ledgerPage = [try makeReceipt(version: 5)]
        for target in [Self.transfer, Self.wallet + "/transfers"] {
            let reply = try await send(setup, "GET", target + "?min_version=5")
            #expect(reply.status == 200)
            #expect(reply["wallet-source"] == "ledger")
        }
    }

    @Test func whatTheProjectionLacksIsLookedUp() async throws {
        var setup = Setup()
        setup.ledgerWallet = try makeWallet()
        setup.ledgerReceipt = try makeReceipt()
        setup.ledgerPage = [try makeReceipt()]
        for target in [Self.wallet, Self.transfer, Self.wallet + "/transfers"] {
            let reply = try await send(setup, "GET", target)
            #expect(reply.status == 200)
            #expect(reply["wallet-source"] == "ledger")
        }
    }

    @Test func whatNobodyKnowsIsMissing() async throws {
        var setup = Setup()
        for target in [Self.wallet, Self.transfer, Self.wallet + "/transfers"] {
            let reply = try await send(setup, "GET", target)
            #expect(reply.status == 404)
            #expect(try reply.json["code"]?.string == "wallet_not_found")
        }
        setup.ledgerWallet = try makeWallet()
        #expect(try await send(setup, "GET", Self.transfer).json["code"]?.string == "transfer_not_found")
        let list = try await send(setup, "GET", Self.wallet + "/transfers")
        #expect(String(decoding: list.body, as: UTF8.self) == #"{"items":[],"next_cursor":null}"#)
    }

    @Test func listsArePagedByCursor() async throws {
        var setup = Setup()
        setup.projectedPage = try (1...3).map { try makeReceipt(createdVersion: 10 - $0) }
        let first = try await send(setup, "GET", Self.wallet + "/transfers?limit=2&status=completed")
        #expect(try first.json["items"]?.array?.count == 2)
        let cursor = try #require(try first.json["next_cursor"]?.string)
        let second = try await send(setup, "GET", Self.wallet + "/transfers?limit=3&cursor=\(cursor)")
        #expect(try second.json["next_cursor"] == .null)
        let queries = setup.seen.queries.withLock { $0 }
        #expect(queries.map(\.limit) == [3, 4])
        #expect(queries.map(\.before) == [nil, 8])
        #expect(queries.map(\.status) == [.completed, .completed])
    }

    // MARK: - Batches

    @Test func refusalsInABatchAreSeenByOperators() async throws {
        var setup = Setup()
        setup.verdict = .failure(.inconsistent("row 7"))
        let body = #"{"operations":[{"op":"debit","wallet_id":"\#(walletID.text)","amount":"1"},{}]}"#
        let reply = try await send(setup, "POST", "/v1/batches", body)
        #expect(reply.status == 200)
        #expect(try reply.json["results"]?.array?.compactMap { $0["status"]?.int64 } == [500, 400])
        #expect(!String(decoding: reply.body, as: UTF8.self).contains("row 7"))
        #expect(setup.lines.all.first?.contains("row 7") == true)
        #expect(setup.metrics.text().contains(#"wallet_problems_total{code="internal_error"} 1"#))
        #expect(setup.metrics.text().contains(#"wallet_problems_total{code="invalid_request"} 1"#))
    }

    @Test func anAtomicBatchIsRefusedAsAWhole() async throws {
        var setup = Setup()
        setup.atomic = .success(.refused(index: 1, .walletNotFound, isReplay: true))
        let operation = #"{"op":"debit","wallet_id":"\#(walletID.text)","amount":"1"}"#
        let body = #"{"atomic":true,"operations":[\#(operation),\#(operation)]}"#
        let refused = try await send(setup, "POST", "/v1/batches", body)
        #expect(refused.status == 404)
        #expect(try refused.json["index"]?.int64 == 1)
        #expect(refused["idempotent-replayed"] == "true")
        setup.atomic = .success(.keyReused)
        let reused = try await send(setup, "POST", "/v1/batches", body)
        #expect(try reused.json["code"]?.string == "idempotency_key_reused")
        let malformed = try await send(
            setup, "POST", "/v1/batches", #"{"atomic":true,"operations":[\#(operation),{"op":"pay"}]}"#)
        #expect(malformed.status == 400)
        #expect(try malformed.json["index"]?.int64 == 1)
    }

    @Test func onlyBatchesMayBeLarge() {
        #expect(WalletAPI.bodyLimit(.post, "/v1/batches") == 4 * 1024 * 1024)
        #expect(WalletAPI.bodyLimit(.get, "/v1/batches") == 64 * 1024)
        #expect(WalletAPI.bodyLimit(.post, "/v1/wallet") == 64 * 1024)
    }

    // MARK: - Health

    @Test func healthAndReadiness() async throws {
        var setup = Setup()
        #expect(try await send(setup, "GET", "/v1/health").status == 200)
        #expect(try await send(setup, "HEAD", "/v1/ready").status == 200)
        setup.readiness = [
            ReadinessCheck(name: "database") { nil }, ReadinessCheck(name: "schema") { "behind: password=x" },
        ]
        let reply = try await send(setup, "GET", "/v1/ready")
        #expect(reply.status == 503)
        #expect(try reply.json["not_ready"]?.array == [.string("schema")])
        #expect(!String(decoding: reply.body, as: UTF8.self).contains("password"))
    }

    @Test func operatorsSeeMetrics() async throws {
        let metrics = MetricsRegistry()
        metrics.counter("wallet_tests_total", "Tests.").increment()
        let api = OperatorAPI(
            readiness: [ReadinessCheck(name: "nats") { "away" }], metrics: metrics,
            logger: LogLines().logger(level: .info))
        let text = Reply(await api.respond(to: request("GET", "/metrics")))
        #expect(text.status == 200)
        #expect(text["content-type"] == MetricsRegistry.contentType)
        #expect(String(decoding: text.body, as: UTF8.self).contains("wallet_tests_total 1"))
        #expect(Reply(await api.respond(to: request("GET", "/v1/health"))).status == 200)
        #expect(Reply(await api.respond(to: request("GET", "/v1/ready"))).status == 503)
        #expect(Reply(await api.respond(to: request("POST", "/metrics")))["allow"] == "GET, HEAD")
        #expect(Reply(await api.respond(to: request("GET", "/v1/wallet"))).status == 404)
    }

    @Test func refusalsOfTheServerHaveTheSameForm() async throws {
        let setup = Setup()
        let reply = Reply(try setup.make().respond(to: ProtocolError.bodyTooLarge))
        #expect(reply.status == 413)
        #expect(try reply.json["code"]?.string == "payload_too_large")
        #expect(reply["content-type"] == "application/problem+json")
        #expect(Problem(ProtocolError.malformed("x")).code == .malformedRequest)
        #expect(Problem(ProtocolError.overloaded).retryAfter == 1)
        for error in [
            ProtocolError.requestTimeout, .targetTooLong, .unknownExpectation, .headTooLarge, .unknownEncoding,
            .unknownVersion,
        ] {
            #expect(Problem(error).code.status == error.status)
        }
    }
}
