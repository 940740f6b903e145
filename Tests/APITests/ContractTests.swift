import JSON
import Ledger
import Runtime
import Testing

@testable import API

/// The contract on a real database: every route, every refusal, repeats, precedence, races.
@Suite struct ContractTests {
    private static let stranger = "01990000-0000-7000-8000-0000000000ff"

    private func text(_ reply: Reply, _ names: String...) throws -> String? {
        var value: JSONValue? = try reply.json
        for name in names { value = value?[name] }
        return value?.string
    }

    @Test func theLifeOfAWallet() async throws {
        try await Installation.run { site in
            let opened = await site.send(
                "POST", "/v1/wallets",
                #"{"owner_id":"o","asset":"EUR","initial_balance":"100","metadata":{"b":2,"a":"é"}}"#)
            #expect(opened.status == 201)
            let path = try #require(opened["location"])
            #expect(try text(opened, "balance") == "100.00")
            #expect(try opened.json["metadata"]?.members?.map(\.name) == ["a", "b"])
            // In, pending; settled in part.
            let debit = await site.send(
                "POST", "\(path)/transfers/debit",
                #"{"amount":10.50,"reference_id":"in","description":"d","expires_in":3600}"#)
            #expect(debit.status == 201)
            #expect(try text(debit, "status") == "pending")
            #expect(try text(debit, "wallet", "pending_debit") == "10.50")
            #expect(try text(debit, "wallet", "available") == "100.00")
            let transfer = try #require(debit["location"])
            let completed = await site.send("POST", "\(transfer)/complete", #"{"amount":"4"}"#)
            #expect(completed.status == 200)
            #expect(try text(completed, "completed_amount") == "4.00")
            #expect(try text(completed, "amount") == "10.50")
            #expect(try text(completed, "wallet", "balance") == "104.00")
            #expect(try text(completed, "wallet", "pending_debit") == "0.00")
            // Out, pending; taken back.
            let credit = try await site.transfer(path, "credit", #"{"amount":"104"}"#)
            let reverted = await site.send("POST", "\(credit)/revert", #"{"reason":"changed my mind"}"#)
            #expect(reverted.status == 200)
            #expect(try text(reverted, "status") == "failed")
            #expect(try text(reverted, "reason") == "reverted")
            #expect(try text(reverted, "note") == "changed my mind")
            // Out at once.
            let paid = await site.send("POST", "\(path)/transfers/credit", #"{"amount":"4","status":"completed"}"#)
            #expect(try text(paid, "wallet", "balance") == "100.00")
            #expect(paid["etag"] == #""6""#)
            // Reading.
            let read = await site.send("GET", path.replacing("/v1/wallet/", with: "/v1/wallets/"))
            #expect(read["etag"] == #""6""#)
            #expect(read["wallet-source"] == "ledger")
            let one = await site.send("GET", transfer)
            #expect(try text(one, "reference_id") == "in")
            #expect(try text(one, "description") == "d")
            #expect(one["etag"] == #""3""#)
        }
    }

    @Test func refusalsFromTheLedger() async throws {
        try await Installation.run { site in
            let (path, id) = try await site.open("10")
            let done = try await site.transfer(path, "debit", #"{"amount":"1","status":"completed"}"#)
            let open = try await site.transfer(path, "debit", #"{"amount":"5","transfer_id":"\#(transferID.text)"}"#)
            let huge = String(repeating: "9", count: 36)
            let cases: [(String, String, Int, String)] = [
                ("/v1/wallet/\(Self.stranger)/transfers/debit", #"{"amount":"1"}"#, 404, "wallet_not_found"),
                ("/v1/wallet/\(Self.stranger)/transfers/\(Self.stranger)/revert", "", 404, "wallet_not_found"),
                ("\(path)/transfers/\(Self.stranger)/complete", "", 404, "transfer_not_found"),
                ("\(path)/transfers/credit", #"{"amount":"11.01"}"#, 422, "insufficient_funds"),
                ("\(path)/transfers/credit", #"{"amount":"11.01","status":"completed"}"#, 422, "insufficient_funds"),
                ("\(done)/complete", "", 409, "transfer_not_pending"),
                ("\(done)/revert", "", 409, "transfer_not_pending"),
                ("/v1/wallet", #"{"wallet_id":"\#(id.text)"}"#, 409, "wallet_exists"),
                (
                    "\(path)/transfers/debit", #"{"amount":"6","transfer_id":"\#(transferID.text)"}"#, 409,
                    "transfer_exists"
                ),
                ("\(path)/transfers/debit", #"{"amount":"1.001"}"#, 400, "invalid_request"),
                ("\(open)/complete", #"{"amount":"1.001"}"#, 400, "invalid_request"),
                (
                    "\(path)/transfers/debit", #"{"amount":"1","expires_at":"2020-01-01T00:00:00Z"}"#, 400,
                    "invalid_request"
                ),
                ("\(open)/complete", #"{"amount":"5.01"}"#, 422, "amount_exceeds_pending"),
                ("\(path)/transfers/debit", #"{"amount":"\#(huge)"}"#, 422, "amount_out_of_range"),
            ]
            for (target, body, status, code) in cases {
                let reply = await site.send("POST", target, body)
                #expect(reply.status == status, "\(target) \(body)")
                #expect(try text(reply, "code") == code, "\(target) \(body)")
                #expect(reply["content-type"] == "application/problem+json")
            }
            let poor = await site.send("POST", "\(path)/transfers/credit", #"{"amount":"20"}"#)
            #expect(try text(poor, "available") == "11.00")
            #expect(try text(poor, "amount") == "20.00")
            let standing = await site.send("POST", "\(done)/revert")
            #expect(try text(standing, "transfer", "status") == "completed")
            let late = await site.send(
                "POST", "\(path)/transfers/debit", #"{"amount":"1"}"#, headers: [("If-Match", #""1""#)])
            #expect(late.status == 412)
            #expect(try late.json["current_version"]?.int64 == 3)
            try site.execute("UPDATE ledger.wallets SET status = 2 WHERE id = '\(id.text)'")
            let frozen = await site.send("POST", "\(path)/transfers/debit", #"{"amount":"1"}"#)
            #expect(frozen.status == 409)
            #expect(try text(frozen, "code") == "wallet_not_active")
            #expect(try text(frozen, "wallet_status") == "frozen")
        }
    }

    @Test func everyWriteIsRepeatedUnderItsKey() async throws {
        try await Installation.run { site in
            let correlation: (name: String, value: String) = ("X-Correlation-Id", "c")
            func twice(_ target: String, _ body: String, _ key: String, _ status: Int) async throws -> Reply {
                let headers = [correlation, (name: "Idempotency-Key", value: key)]
                let first = await site.send("POST", target, body, headers: headers)
                let second = await site.send("POST", target, body, headers: headers)
                #expect(first.status == status, "\(target)")
                #expect(first["idempotent-replayed"] == nil, "\(target)")
                #expect(second.status == first.status, "\(target)")
                #expect(second["idempotent-replayed"] == "true", "\(target)")
                #expect(String(decoding: second.body, as: UTF8.self) == String(decoding: first.body, as: UTF8.self))
                #expect(second["etag"] == first["etag"])
                #expect(second["location"] == first["location"])
                return first
            }
            let opened = try await twice("/v1/wallet", #"{"initial_balance":"5","owner_id":"x"}"#, "k0", 201)
            let path = try #require(opened["location"])
            let debit = try await twice("\(path)/transfers/debit", #"{"amount":"3"}"#, "k1", 201)
            _ = try await twice("\(path)/transfers/credit", #"{"amount":"1","status":"completed"}"#, "k2", 201)
            let transfer = try #require(debit["location"])
            _ = try await twice("\(transfer)/complete", #"{"amount":"2"}"#, "k3", 200)
            let other = try await site.transfer(path, "debit", #"{"amount":"1"}"#)
            _ = try await twice("\(other)/revert", #"{"reason":"r"}"#, "k4", 200)
            // Refusals that depended on state, repeated after the state has changed.
            let poor = try await twice("\(path)/transfers/credit", #"{"amount":"50"}"#, "k5", 422)
            _ = try await twice("\(transfer)/revert", "", "k6", 409)
            _ = try await site.transfer(path, "debit", #"{"amount":"100","status":"completed"}"#)
            let again = await site.send(
                "POST", "\(path)/transfers/credit", #"{"amount":"50"}"#,
                headers: [correlation, (name: "Idempotency-Key", value: "k5")])
            #expect(again.body == poor.body)
            // The same key for something else, by any route.
            for (target, body) in [
                ("\(path)/transfers/debit", #"{"amount":"3.01"}"#), ("\(path)/transfers/credit", #"{"amount":"3"}"#),
                ("\(transfer)/complete", ""), ("\(transfer)/revert", ""),
            ] {
                let reply = await site.send("POST", target, body, headers: [(name: "Idempotency-Key", value: "k1")])
                #expect(reply.status == 422)
                #expect(try text(reply, "code") == "idempotency_key_reused")
            }
            // The failed transfer that the refused credit left behind.
            let list = await site.send("GET", "\(path)/transfers?status=failed")
            #expect(
                try list.json["items"]?.array?.compactMap { $0["reason"]?.string }.contains("insufficient_funds")
                    == true)
        }
    }

    @Test func aClientsIDProtectsACreation() async throws {
        try await Installation.run { site in
            let body = #"{"wallet_id":"\#(Self.stranger)","initial_balance":"1"}"#
            let first = await site.send("POST", "/v1/wallet", body)
            let second = await site.send("POST", "/v1/wallet", body)
            #expect(first.status == 201)
            #expect(second.body == first.body)
            #expect(second["idempotent-replayed"] == "true")
            let path = "/v1/wallet/\(Self.stranger)/transfers/debit"
            let order = #"{"amount":"1","transfer_id":"\#(transferID.text)"}"#
            let third = await site.send("POST", path, order)
            let fourth = await site.send("POST", path, order)
            #expect(third.status == 201)
            #expect(fourth.body == third.body)
        }
    }

    @Test func precedence() async throws {
        try await Installation.run { site in
            let (path, id) = try await site.open("10")
            let done = try await site.transfer(
                path, "debit", #"{"amount":"1","status":"completed","reference_id":"k"}"#)
            func code(_ target: String, _ body: String, _ headers: [(name: String, value: String)] = []) async throws
                -> String?
            {
                try text(await site.send("POST", target, body, headers: headers), "code")
            }
            let stale: (name: String, value: String) = ("If-Match", #""1""#)
            // Syntax before idempotency, wallet and all else.
            #expect(try await code("\(done)/complete", #"{"reference_id":"k","x":1}"#, [stale]) == "invalid_request")
            #expect(try await code("/v1/wallet/\(Self.stranger)/transfers/debit", "{}") == "invalid_request")
            // Idempotency before the transfer's state and the version.
            #expect(try await code("\(done)/complete", #"{"reference_id":"k"}"#, [stale]) == "idempotency_key_reused")
            // The transfer's state before the version, the version before the money.
            #expect(try await code("\(done)/complete", "", [stale]) == "transfer_not_pending")
            #expect(try await code("\(path)/transfers/credit", #"{"amount":"99"}"#, [stale]) == "version_mismatch")
            // The wallet's state before the transfer's.
            try site.execute("UPDATE ledger.wallets SET status = 3 WHERE id = '\(id.text)'")
            #expect(try await code("\(done)/complete", "", [stale]) == "wallet_not_active")
            #expect(try await code("\(path)/transfers/\(Self.stranger)/revert", "") == "wallet_not_active")
        }
    }

    @Test func repeatsAtTheSameMomentGetOneAnswer() async throws {
        try await Installation.run { site in
            let (path, _) = try await site.open("10")
            let replies = await withTaskGroup(of: Reply.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        await site.send(
                            "POST", "\(path)/transfers/credit", #"{"amount":"1","reference_id":"k"}"#,
                            headers: [("X-Correlation-Id", "c")])
                    }
                }
                return await group.reduce(into: [Reply]()) { $0.append($1) }
            }
            #expect(Set(replies.map(\.body)).count == 1)
            #expect(replies.allSatisfy { $0.status == 201 })
            #expect(replies.filter { $0["idempotent-replayed"] == nil }.count == 1)
        }
    }

    @Test func creditsRacingForTheLastMoneyNeverOverdraw() async throws {
        try await Installation.run { site in
            let (path, _) = try await site.open("7")
            let statuses = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<30 {
                    group.addTask {
                        await site.send("POST", "\(path)/transfers/credit", #"{"amount":"1","status":"completed"}"#)
                            .status
                    }
                }
                return await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses.filter { $0 == 201 }.count == 7)
            #expect(statuses.filter { $0 == 422 }.count == 23)
            #expect(try text(await site.send("GET", path), "available") == "0.00")
        }
    }

    @Test func readsChooseTheirSide() async throws {
        try await Installation.run { site in
            let (path, id) = try await site.open("10")
            let transfer = try await site.transfer(path, "debit", #"{"amount":"1"}"#)
            try site.project(id)
            for target in [path, transfer, "\(path)/transfers"] {
                #expect(await site.send("GET", target)["wallet-source"] == "projection", "\(target)")
                #expect(await site.send("GET", target + "?consistency=strong")["wallet-source"] == "ledger")
            }
            let ahead = await site.send("POST", "\(transfer)/complete")
            #expect(ahead["etag"] == #""3""#)
            #expect(await site.send("GET", path)["etag"] == #""2""#)
            let fresh = await site.send("GET", path, headers: [("Wallet-Min-Version", "3")])
            #expect(fresh["etag"] == #""3""#)
            #expect(fresh["wallet-source"] == "ledger")
            let settled = await site.send("GET", transfer + "?min_version=3")
            #expect(try text(settled, "status") == "completed")
            try site.project(id)
            #expect(await site.send("GET", path + "?min_version=3")["wallet-source"] == "projection")
            let fromLedger = await site.send("GET", path + "?consistency=strong")
            #expect(await site.send("GET", path).body == fromLedger.body)
            let one = await site.send("GET", transfer)
            #expect(await site.send("GET", transfer + "?consistency=strong").body == one.body)
        }
    }

    @Test(arguments: ["strong", "eventual"])
    func pagesHoldEveryTransferOnce(_ consistency: String) async throws {
        try await Installation.run { site in
            let (path, id) = try await site.open("100")
            for number in 0..<7 {
                let direction = number % 2 == 0 ? "debit" : "credit"
                _ = try await site.transfer(path, direction, #"{"amount":"\#(number + 1)"}"#)
            }
            try site.project(id)
            for (filter, expected) in [
                ("", ["7", "6", "5", "4", "3", "2", "1"]), ("&direction=debit", ["7", "5", "3", "1"]),
            ] {
                var amounts: [String] = []
                var target = "\(path)/transfers?limit=3&consistency=\(consistency)" + filter
                while true {
                    let page = try await site.send("GET", target).json
                    amounts += page["items"]?.array?.compactMap { $0["amount"]?.string } ?? []
                    guard let cursor = page["next_cursor"]?.string else { break }
                    target = "\(path)/transfers?limit=3&consistency=\(consistency)&cursor=\(cursor)"
                    guard amounts.count < 20 else { break }
                }
                #expect(amounts == expected.map { $0 + ".00" })
            }
            let none = await site.send("GET", "\(path)/transfers?status=completed&consistency=\(consistency)")
            #expect(try none.json["items"]?.array?.isEmpty == true)
        }
    }
}
