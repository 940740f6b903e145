import JSON
import Ledger
import Observability
import Testing

@testable import API

/// A request with several faults: which of them is answered, and what `errors` names.
@Suite struct FaultOrderTests {
    private func send(
        _ method: String, _ target: String, _ body: String = "", type: String = "application/json"
    ) async throws -> Reply {
        let nothing = ReadSide(
            walletByID: { _ in .success(nil) }, transferByID: { _, _ in .success(nil) },
            transfersByQuery: { _, _ in .success([]) })
        let service = WalletService(
            submit: { _, _ in throw MissingFixture() },
            batches: BatchSide(each: { _, _ in [] }, all: { _, _, _ in throw MissingFixture() }), ledger: nothing,
            projection: nothing, past: EmptyPast(), operators: IdleOperators())
        let api = WalletAPI(
            service: service, configuration: APIConfiguration(assets: AssetTable(), defaultAsset: try asset()),
            readiness: [], metrics: MetricsRegistry(), logger: .silent)
        let fields: [(name: String, value: String)] = body.isEmpty ? [] : [("Content-Type", type)]
        return Reply(await api.respond(to: request(method, target, fields, body)))
    }

    /// Those that read a body.
    static let routes = Route.allCases.filter { $0.operationKind != nil || $0 == .batch || $0 == .outboxRetry }

    @Test(arguments: routes)
    func theContentTypeComesFirst(_ route: Route) async throws {
        let (method, path) = Router.template(of: route)
        let target = path.split(separator: "/").map { $0.hasPrefix("{") ? "/7" : "/\($0)" }.joined() + "?x=1"
        let reply = try await send(method.rawValue, target, #"{"y":1}"#, type: "text/plain")
        #expect(reply.status == 415)
        #expect(try reply.json["code"]?.string == "unsupported_media_type")
        #expect(try await send(method.rawValue, target, #"{"y":1}"#).status == 400)
        let known = String(target.dropLast(4))
        #expect(try await send(method.rawValue, known + "/", #"{"y":1}"#, type: "text/plain").status == 404)
        #expect(try await send("PUT", known, #"{"y":1}"#, type: "text/plain").status == 405)
    }

    static let faults: [(String, String, [String])] = [
        ("POST /v1/wallet/7/transfers/debit?x=1", #"{"amount":"-1"}"#, ["wallet_id", "x", "amount"]),
        ("POST /v1/wallet/7/transfers/credit", "", ["wallet_id", ""]),
        ("POST /v1/wallet/7/transfers/8/complete?x=1", "", ["wallet_id", "transfer_id", "x"]),
        ("PATCH /v1/wallet/7", #"{"status":"open"}"#, ["wallet_id", "status", "Wallet-Actor"]),
        ("POST /v1/batches?x=1", #"{"operations":[]}"#, ["x", "operations"]),
        ("POST /v1/batches?x=1", "", ["x", ""]),
        ("GET /v1/wallet/7?min_version=x", "", ["wallet_id", "min_version"]),
        ("GET /v1/wallet/7/transfers/8?consistency=x", "", ["wallet_id", "transfer_id", "consistency"]),
        ("GET /v1/wallet/7/transfers?limit=0&cursor=x", "", ["wallet_id", "limit"]),
        ("GET /v1/wallet/7/balance?at=x", "", ["wallet_id", "at"]),
        ("GET /v1/wallet/7/balance/audit?x=1", "", ["wallet_id", "x"]),
        ("GET /v1/wallet/7/entries?limit=0&order=x", "", ["wallet_id", "limit", "order"]),
        ("GET /v1/wallet/7/analytics?granularity=x", "", ["wallet_id", "granularity"]),
        ("GET /v1/transfers/8?wallet_id=x", "", ["transfer_id", "wallet_id"]),
        ("GET /v1/admin/world?x=1", "", ["x", "Wallet-Actor"]),
        ("POST /v1/admin/projections/rebuild/7?x=1", "", ["wallet_id", "x", "Wallet-Actor"]),
        ("POST /v1/admin/outbox/retry?x=1", #"{"from":1,"y":2}"#, ["x", "Wallet-Actor", "from", "y"]),
    ]

    @Test(arguments: faults)
    func eachFaultIsNamed(_ line: String, _ body: String, _ fields: [String]) async throws {
        let words = line.split(separator: " ").map(String.init)
        let reply = try await send(words[0], words[1], body)
        #expect(reply.status == 400)
        #expect(try reply.json["code"]?.string == "invalid_request")
        #expect(try Set(reply.json["errors"]?.array?.compactMap { $0["field"]?.string } ?? []) == Set(fields))
    }
}
