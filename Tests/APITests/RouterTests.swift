import Ledger
import Testing

@testable import API

@Suite struct RouterTests {
    private static let id = "01990000-0000-7000-8000-000000000001"

    private func route(_ method: String, _ path: String) throws -> Route {
        try Router.destination(method: method, path: path).endpoint
    }

    private func refusal(_ method: String, _ path: String) -> Problem? {
        do {
            _ = try Router.destination(method: method, path: path)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["wallet", "wallets"])
    func everyRoute(_ word: String) throws {
        let base = "/v1/\(word)"
        #expect(try route("POST", base) == .openWallet)
        #expect(try route("GET", "\(base)/\(Self.id)") == .wallet)
        #expect(try route("HEAD", "\(base)/\(Self.id)") == .wallet)
        #expect(try route("POST", "\(base)/\(Self.id)/transfers/debit") == .debit)
        #expect(try route("POST", "\(base)/\(Self.id)/transfers/credit") == .credit)
        #expect(try route("GET", "\(base)/\(Self.id)/transfers") == .transfers)
        #expect(try route("GET", "\(base)/\(Self.id)/transfers/\(Self.id)") == .transfer)
        #expect(try route("POST", "\(base)/\(Self.id)/transfers/\(Self.id)/complete") == .complete)
        #expect(try route("POST", "\(base)/\(Self.id)/transfers/\(Self.id)/revert") == .revert)
        #expect(try route("POST", "\(base)/\(Self.id)/transfers/\(Self.id)/reverse") == .reverse)
        #expect(try route("POST", "\(base)/\(Self.id)/transfers/\(Self.id)/extend") == .extend)
        #expect(try route("POST", "\(base)/\(Self.id)/adjustments") == .adjust)
        #expect(try route("PATCH", "\(base)/\(Self.id)") == .amend)
        #expect(try route("POST", "/v1/transfers") == .move)
        #expect(try route("GET", base) == .wallets)
        #expect(try route("POST", "/v1/batches") == .batch)
        #expect(try route("GET", "/v1/transfers/\(Self.id)") == .transaction)
        #expect(try route("GET", "/v1/transactions/\(Self.id)") == .transaction)
        #expect(try route("GET", "\(base)/\(Self.id)/balance") == .balance)
        #expect(try route("GET", "\(base)/\(Self.id)/balance/audit") == .balanceAudit)
        #expect(try route("GET", "\(base)/\(Self.id)/entries") == .entries)
        #expect(try route("GET", "\(base)/\(Self.id)/analytics") == .analytics)
        #expect(try route("GET", "/v1/admin/world") == .world)
        #expect(try route("GET", "/v1/admin/outbox") == .outbox)
        #expect(try route("POST", "/v1/admin/outbox/retry") == .outboxRetry)
        #expect(try route("GET", "/v1/admin/drift") == .drift)
        #expect(try route("POST", "/v1/admin/projections/rebuild/\(Self.id)") == .rebuild)
        #expect(try route("POST", "/v1/admin/projections/rebuild") == .rebuildAll)
        #expect(try route("GET", "/v1/admin/projections/rebuild") == .rebuilds)
        #expect(try route("GET", "/v1/health") == .health)
        #expect(try route("HEAD", "/v1/ready") == .ready)
    }

    @Test(arguments: [
        "", "/", "/v1", "/v1/", "/v1/wallet/", "/v2/wallet", "/V1/wallet", "/v1/Wallet", "//v1/wallet", "/v1//wallet",
        "/v1/wallet/\(id)/", "/v1/wallet/\(id)/transfer", "/v1/wallet/\(id)/transfers/", "/v1/health/",
        "/v1/wallet/\(id)/transfers/\(id)/settle", "/v1/wallet/\(id)/transfers/\(id)/complete/x", "v1/wallet",
        "/v1/wallet//transfers", "/v1%2Fwallet", "/metrics", "/v1/wallet%2F\(id)",
    ])
    func unknownRoutes(_ path: String) {
        #expect(refusal("GET", path)?.code == .routeNotFound)
        #expect(refusal("POST", path)?.code == .routeNotFound)
    }

    @Test(arguments: [
        ("PUT", "/v1/wallet", "GET, HEAD, POST"), ("POST", "/v1/wallet/\(id)", "GET, HEAD, PATCH"),
        ("PUT", "/v1/wallet/\(id)", "GET, HEAD, PATCH"), ("PATCH", "/v1/transfers", "POST"),
        ("GET", "/v1/wallet/\(id)/transfers/debit", "POST"), ("get", "/v1/health", "GET, HEAD"),
        ("DELETE", "/v1/wallet/no-id/transfers/no-id/complete", "POST"), ("OPTIONS", "/v1/ready", "GET, HEAD"),
    ])
    func wrongMethods(_ method: String, _ path: String, _ allow: String) {
        let problem = refusal(method, path)
        #expect(problem?.code == .methodNotAllowed)
        #expect(problem?.allow == allow)
    }

    @Test func badIDsAreNamed() throws {
        for (path, fields) in [
            ("/v1/wallet/7", ["wallet_id"]), ("/v1/wallet/7/transfers/8", ["wallet_id", "transfer_id"]),
            ("/v1/wallet/\(Self.id)%00", ["wallet_id"]), ("/v1/wallet/\(Self.id)%2Fbalance", ["wallet_id"]),
        ] {
            let destination = try Router.destination(method: "GET", path: path)
            #expect(destination.errors.map { "\($0.field) \($0.code)" } == fields.map { "\($0) malformed" }, "\(path)")
        }
        for path in ["/v1/wallet/%", "/v1/wallet/%2", "/v1/wallet/%zz", "/v1/wallet/%+1"] {
            #expect(refusal("GET", path)?.code == .malformedRequest, "\(path)")
        }
    }

    @Test func escapesAreDecoded() throws {
        #expect(try route("GET", "/v1/w%61llet/%30\(Self.id.dropFirst())") == .wallet)
    }

    @Test func templatesNameEveryEndpoint() {
        let templates = Route.allCases.map { endpoint in
            let (method, path) = Router.template(of: endpoint)
            return "\(method.rawValue) \(path)"
        }
        #expect(Set(templates).count == Route.allCases.count)
        #expect(templates.contains("POST /v1/wallet/{wallet_id}/transfers/{transfer_id}/complete"))
        #expect(Route.allCases.map(\.rawValue) == Array(0..<Route.allCases.count))
    }
}
