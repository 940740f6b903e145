import Foundation
import JSON
import TestSupport

/// What the clients were told, against the journal and the API.
extension MoneyAudit {
    /// Every acknowledged operation is there exactly once, and nothing is there that nobody was told of.
    mutating func compareRecords(_ records: [MoneyRecord]) {
        var byKey: [String: [Row]] = [:]
        var byTransfer: [String: [Row]] = [:]
        for row in rows {
            if let key = row.key { byKey[key, default: []].append(row) }
            if let transfer = row.transfer, [2, 3, 7].contains(row.kind) {
                byTransfer["\(row.wallet) \(transfer)", default: []].append(row)
            }
        }
        var expectedKeyed = 0
        var expectedPlain = 0
        for record in records {
            let name = record.command.key ?? "\(record.command.wallet) \(record.command.transfer ?? "")"
            let found = (record.command.key == nil ? byTransfer[name] : byKey[name]) ?? []
            guard record.isSuccess || isRecordedRefusal(record) else {
                if record.command.key != nil, !found.isEmpty { find("\(record.answer.status), but booked: \(found)") }
                continue
            }
            if record.command.key == nil { expectedPlain += 1 } else { expectedKeyed += 1 }
            guard found.count == 1, let row = found.first else {
                find("\(found.count) times in the journal: \(record.command) \(record.answer.summary)")
                continue
            }
            compare(record, row)
        }
        let keyed = rows.count { $0.key != nil }
        if keyed != expectedKeyed { find("\(keyed) keyed entries, \(expectedKeyed) were told") }
        // A transfer between two wallets has a row in each, and at most one of them has the key.
        let made = Dictionary(grouping: rows.filter { [2, 3, 7].contains($0.kind) }) { $0.transfer ?? "" }
        let plain = made.values.count { $0.allSatisfy { $0.key == nil } }
        if plain != expectedPlain { find("\(plain) transfers without key, \(expectedPlain) were told") }
    }

    /// A credit that was refused under a key is a journal entry that moves nothing.
    private func isRecordedRefusal(_ record: MoneyRecord) -> Bool {
        guard record.answer.code == "insufficient_funds", record.command.key != nil, !record.isDropped else {
            return false
        }
        switch record.command.kind {
        case .credit, .transfer, .adjust: return true
        default: return false
        }
    }

    private mutating func compare(_ record: MoneyRecord, _ row: Row) {
        let json = record.answer.json
        var kind = 0
        var amount: Int?
        switch record.command.kind {
        case .open: (kind, amount) = (1, 0)
        case .debit(let cents, let pending), .credit(let cents, let pending): (kind, amount) = (pending ? 2 : 3, cents)
        case .transfer(_, let cents, let pending): (kind, amount) = (pending ? 2 : 3, cents)
        case .adjust(let cents, _): (kind, amount) = (3, cents)
        case .complete(let cents): (kind, amount) = (4, cents)
        case .revert: kind = 5
        case .extend: kind = 8
        case .reverse(let cents): (kind, amount) = (3, cents)
        case .amend: (kind, amount) = (9, 0)
        case .batch: return find("a batch has no entry of its own: \(row)")
        }
        if !record.isSuccess { kind = 7 }
        guard row.kind == kind, amount == nil || amount == row.amount else {
            return find("told \(record.answer.summary), booked \(row)")
        }
        guard record.isSuccess else { return }
        let isAboutWallet = kind == 1 || kind == 9
        let wallet = isAboutWallet ? json : json["wallet"] ?? .null
        let told = Sums(
            version: Int(wallet["version"]?.int64 ?? -1), balance: Euros.cents(wallet["balance"]?.string) ?? .min,
            pendingDebit: Euros.cents(wallet["pending_debit"]?.string) ?? .min,
            pendingCredit: Euros.cents(wallet["pending_credit"]?.string) ?? .min)
        let booked = Sums(
            version: row.version, balance: row.balance, pendingDebit: row.pendingDebit, pendingCredit: row.pendingCredit
        )
        let id = isAboutWallet ? row.wallet : row.transfer
        if told != booked || json["id"]?.string != id { find("told \(record.answer.summary), booked \(row)") }
    }

    /// A refusal under a key is remembered once, and only where no journal entry does it.
    mutating func compareRefusals(_ records: [MoneyRecord]) async throws {
        let stored = try await stack.rows("SELECT reference_id, code FROM ledger.refusals")
        let codes = Dictionary(grouping: stored) { $0[0] ?? "" }
        let refused = records.filter {
            $0.command.key != nil && !$0.isSuccess && !$0.isDropped && !isRecordedRefusal($0)
        }
        for record in refused where codes[record.command.key ?? ""]?.count != 1 {
            find("a refusal that is not remembered once: \(record.command) \(record.answer.summary)")
        }
        if stored.count != refused.count { find("\(stored.count) stored refusals, \(refused.count) were told") }
    }

    /// Each batch's key is there once, with what became of the whole.
    mutating func compareBatches(_ records: [MoneyRecord]) async throws {
        let stored = try await stack.rows("SELECT reference_id, (outcome IS NULL)::text FROM ledger.batches")
        let outcomes = Dictionary(grouping: stored) { $0[0] ?? "" }
        for record in records {
            guard case .batch = record.command.kind, let key = record.command.key else { continue }
            let found = outcomes[key] ?? []
            if found.count != 1 || found[0][1] != (record.isSuccess ? "true" : "false") {
                find("told \(record.answer.summary), stored of the batch: \(found)")
            }
        }
    }

    /// With the accounts outside of all wallets, as the API shows them, everything sums up to zero.
    mutating func compareWorld(_ derived: [String: Sums]) async throws {
        let answer = await stack.apis[0].answer(.get("/v1/admin/world", ("Wallet-Actor", "auditor")))
        let accounts = answer?.json["items"]?.array ?? []
        let outside = accounts.reduce(0) { $0 + (Euros.cents($1["balance"]?.string) ?? .min / 1_000) }
        let inside = derived.values.reduce(0) { $0 + $1.balance }
        if accounts.isEmpty || inside + outside != 0 {
            find("the wallets hold \(inside), the world says \(answer?.summary ?? "nothing")")
        }
    }

    /// Every wallet from both sides of the API, and the pages of their transfers.
    mutating func compareAPI(_ derived: [String: Sums]) async throws {
        let port = stack.apis[0].port
        let transfers = Dictionary(grouping: rows.filter { [2, 3, 7].contains($0.kind) }, by: \.wallet)
        let texts = try await blocking { () -> [String] in
            var findings: [String] = []
            let connection = HTTPConnection(port: port)
            for (id, sums) in derived {
                for (query, source) in [("?consistency=strong", "ledger"), ("", "projection")] {
                    let answer = try connection.exchange(.get("/v1/wallet/\(id)\(query)"))
                    let json = answer.json
                    let told = Sums(
                        version: Int(json["version"]?.int64 ?? -1),
                        balance: Euros.cents(json["balance"]?.string) ?? .min,
                        pendingDebit: Euros.cents(json["pending_debit"]?.string) ?? .min,
                        pendingCredit: Euros.cents(json["pending_credit"]?.string) ?? .min)
                    let available = Euros.cents(json["available"]?.string)
                    if told != sums || available != sums.balance - sums.pendingCredit
                        || answer.header("Wallet-Source") != source
                        || answer.header("ETag") != "\"\(sums.version)\""
                    {
                        findings.append("the API's \(source) says \(answer.summary), the journal \(sums)")
                    }
                }
            }
            for (wallet, rows) in transfers.sorted(by: { $0.value.count > $1.value.count }).prefix(4) {
                let listed = try Self.listed(wallet, connection)
                let wanted = rows.map { $0.transfer ?? "" }.reversed()
                if listed != Array(wanted) { findings.append("\(wallet) lists \(listed.count), not \(wanted.count)") }
            }
            return findings
        }
        for text in texts { find(text) }
    }

    /// The ids of a wallet's transfers through all pages, newest first.
    private static func listed(_ wallet: String, _ connection: HTTPConnection) throws -> [String] {
        var ids: [String] = []
        var cursor: String?
        repeat {
            let page = cursor.map { "&cursor=\($0)" } ?? ""
            let json = try connection.exchange(.get("/v1/wallet/\(wallet)/transfers?limit=37\(page)")).json
            ids += (json["items"]?.array ?? []).compactMap { $0["id"]?.string }
            cursor = json["next_cursor"]?.string
        } while cursor != nil && ids.count < 1_000_000
        return ids
    }
}
