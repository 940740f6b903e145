import JSON
import Ledger
import Testing

@testable import API

/// Transfers between wallets, reversals, administration, batches and history on a real database.
@Suite struct LedgerRoutesTests {
    private static let stranger = "01990000-0000-7000-8000-0000000000ff"
    private static let ann: [(name: String, value: String)] = [("Wallet-Actor", "ann")]

    private func text(_ value: JSONValue?, _ names: String...) -> String? {
        names.reduce(value) { $0?[$1] }?.string
    }

    @Test func moneyMovesBetweenWallets() async throws {
        try await Installation.run { site in
            let (from, fromID) = try await site.open("10")
            let (to, toID) = try await site.open()
            func order(_ members: String) -> String {
                #"{"from_wallet_id":"\#(fromID.text)","to_wallet_id":"\#(toID.text)",\#(members)}"#
            }
            let held = await site.send("POST", "/v1/transfers", order(#""amount":"4","reference_id":"k""#))
            #expect(held.status == 201)
            #expect(try text(held.json, "counterparty_wallet_id") == toID.text)
            #expect(try text(held.json, "wallet", "pending_credit") == "4.00")
            let again = await site.send("POST", "/v1/transfers", order(#""amount":"4","reference_id":"k""#))
            #expect(again.body == held.body)
            #expect(again["idempotent-replayed"] == "true")
            let id = try #require(try text(held.json, "id"))
            let extended = await site.send(
                "POST", "\(from)/transfers/\(id)/extend", #"{"expires_in":60}"#)
            #expect(try text(extended.json, "code") == "expiry_not_later")
            // Resolved through the other wallet's path.
            let done = await site.send("POST", "\(to)/transfers/\(id)/complete")
            #expect(done.status == 200)
            #expect(try text(done.json, "wallet", "balance") == "4.00")
            #expect(try text(await site.send("GET", from + "?consistency=strong").json, "balance") == "6.00")
            let part = await site.send("POST", "\(from)/transfers/\(id)/reverse", #"{"amount":"1","reason":"r"}"#)
            #expect(part.status == 201)
            #expect(try text(part.json, "reverses") == id)
            #expect(try text(part.json, "purpose") == "reversal")
            #expect(try text(part.json, "wallet", "balance") == "7.00")
            let original = await site.send("GET", "\(to)/transfers/\(id)?consistency=strong")
            #expect(try text(original.json, "reversed_amount") == "1.00")
            let tooMuch = await site.send("POST", "\(to)/transfers/\(id)/reverse", #"{"amount":"3.01"}"#)
            #expect(tooMuch.status == 422)
            #expect(try text(tooMuch.json, "reversible_amount") == "3.00")
            let own = await site.send(
                "POST", "/v1/transfers",
                #"{"from_wallet_id":"\#(fromID.text)","to_wallet_id":"\#(fromID.text)","amount":"1"}"#)
            #expect(try text(own.json, "code") == "self_transfer")
            // By its id alone.
            for target in [
                "/v1/transfers/\(id)?wallet_id=\(toID.text)", "/v1/transactions/\(id)?wallet_id=\(fromID.text)",
            ] {
                let found = try await site.send("GET", target).json
                #expect(text(found, "sum") == "0.00")
                #expect(found["transfers"]?.array?.compactMap { text($0, "direction") } == ["credit", "debit"])
                #expect(found["entries"]?.array?.count == 4)
                #expect(Set(found["lines"]?.array?.compactMap { text($0, "amount") } ?? []) == ["4.00", "-4.00"])
            }
            #expect(await site.send("GET", "/v1/transfers/\(id)").status == 404)
            try site.project(fromID)
            #expect(await site.send("GET", "/v1/transfers/\(id)").status == 200)
        }
    }

    @Test func administratorsChangeWallets() async throws {
        try await Installation.run { site in
            let (path, _) = try await site.open("1")
            func patch(_ body: String) async -> Reply { await site.send("PATCH", path, body, headers: Self.ann) }
            #expect(await site.send("PATCH", path, #"{"status":"frozen"}"#).status == 400)
            let frozen = await patch(#"{"status":"frozen","metadata":{"a":1},"reference_id":"f","reason":"r"}"#)
            #expect(frozen.status == 200)
            #expect(try text(frozen.json, "status") == "frozen")
            #expect(frozen["etag"] == #""2""#)
            #expect(await site.send("POST", "\(path)/transfers/debit", #"{"amount":"1"}"#).status == 409)
            let body = #"{"direction":"credit","amount":"1","reason":"back","reference_id":"a"}"#
            let adjusted = await site.send("POST", "\(path)/adjustments", body, headers: Self.ann)
            #expect(adjusted.status == 201)
            #expect(try text(adjusted.json, "purpose") == "adjustment")
            #expect(try text(adjusted.json, "note") == "back")
            let again = await site.send("POST", "\(path)/adjustments", body, headers: Self.ann)
            #expect(again.body == adjusted.body)
            let repeated = await patch(#"{"status":"frozen","metadata":{"a":1},"reference_id":"f","reason":"r"}"#)
            #expect(repeated.body == frozen.body)
            #expect(repeated["idempotent-replayed"] == "true")
            #expect(try text(await patch(#"{"status":"active","overdraft_limit":"5"}"#).json, "available") == "5.00")
            _ = try await site.transfer(path, "credit", #"{"amount":"5","status":"completed"}"#)
            #expect(try text(await patch(#"{"overdraft_limit":"4"}"#).json, "code") == "overdraft_in_use")
            #expect(try text(await patch(#"{"status":"closed"}"#).json, "code") == "wallet_not_empty")
            _ = try await site.transfer(path, "debit", #"{"amount":"5","status":"completed"}"#)
            #expect(try text(await patch(#"{"status":"closed"}"#).json, "status") == "closed")
            #expect(try text(await patch(#"{"metadata":null}"#).json, "code") == "wallet_not_active")
            let entries = try await site.send("GET", "\(path)/entries?order=oldest_first").json["items"]?.array ?? []
            #expect(entries.compactMap { text($0, "actor") }.count == 4)
            #expect(text(entries.first, "lines").map { _ in 0 } == nil)
            #expect(text(entries.dropFirst(2).first?["lines"]?.array?.last, "account") == "system")
        }
    }

    @Test func batchesAreDoneOneByOneOrTogether() async throws {
        try await Installation.run { site in
            let (path, id) = try await site.open("5")
            let (_, other) = try await site.open()
            let wallet = #""wallet_id":"\#(id.text)""#
            let operations = """
                [{"op":"debit",\(wallet),"amount":"1","status":"completed"}, {"op":"credit",\(wallet),"amount":"100"},
                 {"op":"pay"}, {"op":"transfer","from_wallet_id":"\(id.text)","to_wallet_id":"\(other.text)",
                 "amount":"2","status":"completed"}, {"op":"create_wallet","initial_balance":"3"}]
                """
            let body = #"{"reference_id":"b","operations":\#(operations)}"#
            let first = try await site.send("POST", "/v1/batches", body).json["results"]?.array ?? []
            #expect(first.compactMap { $0["status"]?.int64 } == [201, 422, 400, 201, 201])
            #expect(first.compactMap { $0["index"]?.int64 } == [0, 1, 2, 3, 4])
            #expect(text(first[1], "problem", "code") == "insufficient_funds")
            let second = try await site.send("POST", "/v1/batches", body).json["results"]?.array ?? []
            #expect(second.map { $0["replayed"] != nil } == [true, true, false, true, true])
            #expect(second.map { $0["transfer"] } == first.map { $0["transfer"] })
            #expect(second.map { $0["wallet"] } == first.map { $0["wallet"] })
            #expect(try text(await site.send("GET", path).json, "balance") == "4.00")
            let reused = await site.send(
                "POST", "/v1/batches", #"{"reference_id":"b","operations":[{"op":"debit",\#(wallet),"amount":"9"}]}"#)
            #expect(reused.status == 422)
            // Together: the second spoils the first.
            let spoiled = await site.send(
                "POST", "/v1/batches",
                #"{"atomic":true,"reference_id":"c","operations":[{"op":"debit",\#(wallet),"amount":"1"},"#
                    + #"{"op":"credit",\#(wallet),"amount":"100"}]}"#)
            #expect(spoiled.status == 422)
            #expect(try spoiled.json["index"]?.int64 == 1)
            #expect(try text(await site.send("GET", path).json, "pending_debit") == "0.00")
            let whole =
                #"{"atomic":true,"reference_id":"d","operations":[{"op":"debit",\#(wallet),"amount":"1"},"#
                + #"{"op":"credit",\#(wallet),"amount":"1"}]}"#
            let done = await site.send("POST", "/v1/batches", whole)
            #expect(done.status == 200)
            let again = await site.send("POST", "/v1/batches", whole)
            #expect(again["idempotent-replayed"] == "true")
            #expect(try again.json["results"]?.array?.count == 2)
            #expect(try text(await site.send("GET", path).json, "pending_debit") == "1.00")
        }
    }

    @Test func thePastIsTold() async throws {
        try await Installation.run { site in
            let opened = await site.send("POST", "/v1/wallet", #"{"owner_id":"o 1","initial_balance":"5"}"#)
            let path = try #require(opened["location"])
            for amount in 1...3 {
                _ = try await site.transfer(path, "debit", #"{"amount":"\#(amount)","status":"completed"}"#)
            }
            #expect(try text(await site.send("GET", "\(path)/balance").json, "balance") == "11.00")
            let then = await site.send("GET", "\(path)/balance?version=2")
            #expect(try text(then.json, "balance") == "6.00")
            #expect(then["etag"] == #""2""#)
            let moment = try #require(try text(then.json, "as_of"))
            #expect(try text(await site.send("GET", "\(path)/balance?at=\(moment)").json, "version") == nil)
            #expect(await site.send("GET", "\(path)/balance?at=2020-01-01T00:00:00Z").status == 404)
            #expect(await site.send("GET", "\(path)/balance?version=9").status == 404)
            #expect(await site.send("GET", "\(path)/balance?version=1&at=\(moment)").status == 400)
            let audit = try await site.send("GET", "\(path)/balance/audit").json
            #expect(audit["clean"] == .boolean(true))
            #expect(audit["entries"]?.int64 == 4)
            for (order, expected) in [("newest_first", [4, 3, 2, 1]), ("oldest_first", [1, 2, 3, 4])] {
                var versions: [Int64] = []
                var target = "\(path)/entries?limit=3&order=\(order)"
                while versions.count < 8 {
                    let page = try await site.send("GET", target).json
                    versions += page["items"]?.array?.compactMap { $0["version"]?.int64 } ?? []
                    guard let cursor = page["next_cursor"]?.string else { break }
                    target = "\(path)/entries?limit=3&cursor=\(cursor)"
                    let wrong = await site.send("GET", target + "&from=2020-01-01T00:00:00Z")
                    #expect(try text(wrong.json, "code") == "invalid_cursor")
                }
                #expect(versions == expected.map { Int64($0) })
            }
            _ = await site.send("POST", "/v1/wallet", #"{"owner_id":"o 1"}"#)
            let one = try await site.send("GET", "/v1/wallets?owner_id=o%201&limit=1").json
            let cursor = try #require(one["next_cursor"]?.string)
            let two = try await site.send("GET", "/v1/wallets?cursor=\(cursor)").json
            #expect(one["items"]?.array?.count == 1)
            #expect(two["items"]?.array?.count == 1)
            #expect(two["next_cursor"] == .null)
            #expect(await site.send("GET", "/v1/wallets").status == 400)
            let totals = try await site.send("GET", "\(path)/analytics?granularity=month").json
            #expect(totals["items"]?.array?.isEmpty == true)
            #expect(totals["version"]?.int64 == 0)
            #expect(await site.send("GET", "/v1/admin/world").status == 400)
            #expect(await site.send("GET", "/v1/admin/world", headers: Self.ann).status == 200)
        }
    }

    @Test func totalsHaveNoLargestSum() async throws {
        try await Installation.run { site in
            let (path, id) = try await site.open()
            let largest = Money.text(Money.largest, scale: 2)
            for direction in ["debit", "credit", "debit", "credit"] {
                _ = try await site.transfer(path, direction, #"{"amount":"\#(largest)","status":"completed"}"#)
            }
            let (_, other) = try await site.open(largest)
            let (_, third) = try await site.open(largest)
            for wallet in [id, other, third] {
                let rebuild = "/v1/admin/projections/rebuild/\(wallet.text)"
                #expect(await site.send("POST", rebuild, headers: Self.ann).status == 200)
            }
            let twice = "1\(String(repeating: "9", count: 36)).98"
            let totals = try await site.send("GET", "\(path)/analytics").json["items"]?.array ?? []
            // Two if midnight came in between.
            #expect(totals.count == 2 || text(totals.first, "debit_amount") == twice)
            #expect(totals.count == 2 || text(totals.first, "credit_amount") == twice)
            let world = try await site.send("GET", "/v1/admin/world", headers: Self.ann).json
            #expect(text(world["items"]?.array?.first, "balance") == "-\(twice)")
        }
    }

    @Test func operatorsLookAfterOutboxAndProjections() async throws {
        try await Installation.run { site in
            let (path, id) = try await site.open("5")
            func ask(_ method: String, _ target: String, _ body: String = "") async -> Reply {
                await site.send(method, target, body, headers: Self.ann)
            }
            #expect(await site.send("GET", "/v1/admin/outbox").status == 400)
            let outbox = try await ask("GET", "/v1/admin/outbox").json
            #expect(outbox["pending"]?.int64 == 1)
            #expect(outbox["pending_events"]?.int64 == 1)
            #expect(try await ask("POST", "/v1/admin/outbox/retry").json["retried"]?.int64 == 0)
            #expect(await ask("POST", "/v1/admin/outbox/retry", #"{"from":"2026-01-01T00:00:00Z"}"#).status == 400)
            let resent = await ask(
                "POST", "/v1/admin/outbox/retry", #"{"from":"2026-01-01T00:00:00Z","to":"2030-01-01T00:00:00Z"}"#)
            #expect(try resent.json["resent"]?.int64 == 0)
            #expect(try await ask("GET", "/v1/admin/drift").json["items"]?.array?.isEmpty == true)
            #expect(await site.send("GET", path)["wallet-source"] == "ledger")
            let rebuilt = await ask("POST", "/v1/admin/projections/rebuild/\(id.text)")
            #expect(rebuilt.status == 200)
            #expect(try rebuilt.json["entries"]?.int64 == 1)
            #expect(await site.send("GET", path)["wallet-source"] == "projection")
            let totals = try await site.send("GET", "\(path)/analytics").json
            #expect(text(totals["items"]?.array?.first, "debit_amount") == "5.00")
            #expect(await ask("POST", "/v1/admin/projections/rebuild/\(Self.stranger)").status == 404)
            let all = "/v1/admin/projections/rebuild"
            #expect(await site.send("POST", all).status == 400)
            #expect(try await ask("GET", all).json["items"]?.array?.isEmpty == true)
            let asked = await ask("POST", all)
            #expect(asked.status == 202)
            #expect(try text(asked.json, "state") == "waiting")
            #expect(try text(asked.json, "requested_by") == "ann")
            // There is one until it is done.
            #expect(try await ask("POST", all).json == asked.json)
            #expect(try await ask("GET", all).json["items"]?.array == [asked.json])
        }
    }
}
