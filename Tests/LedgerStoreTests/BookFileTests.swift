import Digest
import Ledger
import LedgerStore
import Postgres
import Runtime
import Synchronization
import TestSupport
import Testing

/// A book goes into a file and from there into another installation, whole and unchanged, or not at all.
@Suite struct BookFileTests {
    private static let tables = [
        "book", "wallets", "journal", "transfers", "expirations", "refusals", "wallet_keys", "batches", "outbox",
    ]

    private static func rows(_ database: TestDatabase, of tables: [String]) throws -> [[String?]] {
        let connection = try database.connect()
        defer { connection.close() }
        return try tables.flatMap { table in
            try connection.textRows("SELECT '\(table) ' || to_jsonb(t)::text FROM ledger.\(table) t ORDER BY 1")
        }
    }

    static func export(_ database: TestDatabase) async throws -> [String] {
        let bytes = Mutex<[UInt8]>([])
        let exporter = BookExporter(ledger: try database.configuration(), assets: AssetTable())
        _ = try await exporter.export(schemaVersion: 7) { piece in bytes.withLock { $0 += piece } }
        let text = String(decoding: bytes.withLock { $0 }, as: UTF8.self)
        #expect(text.hasSuffix("\n"))
        // By scalars: a carriage return before a line's end would be one character with it.
        return text.unicodeScalars.split(separator: "\n").map { String($0) }
    }

    /// Takes a file in pieces that fit no line.
    static func take(
        _ bytes: [UInt8], into database: TestDatabase, assets: AssetTable = AssetTable(), piece: Int = 777
    ) async throws -> BookFile.Tally {
        let rest = Mutex(bytes[...])
        return try await BookImporter(ledger: try database.configuration(), assets: assets).importBook {
            rest.withLock { rest in
                let next = rest.prefix(piece)
                rest = rest.dropFirst(piece)
                return next.isEmpty ? nil : Array(next)
            }
        }
    }

    static func bytes(_ lines: [String]) -> [UInt8] { lines.flatMap { Array($0.utf8) + [0x0A] } }

    /// The lines with a last one whose checksum is right.
    static func sealed(_ lines: [String]) -> [String] {
        let digest = Digest.sha256(bytes(lines.dropLast())).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        guard let last = lines.last, let place = last.firstRange(of: #""sha256":""#) else { return lines }
        return lines.dropLast() + [last[..<place.upperBound] + digest + "\"}"]
    }

    @Test func aBookIsTheSameInItsNewPlace() async throws {
        let time = EveryKindOfEntry.Time()
        let fixture = try LedgerFixture(bounds: EveryKindOfEntry.bounds, clock: time.clock)
        let book = try await EveryKindOfEntry.write(fixture, time)
        let kinds = try fixture.number("SELECT count(DISTINCT kind) FROM ledger.journal")
        #expect(kinds == EntryKind.allCases.count)
        let lines = try await Self.export(fixture.database)
        let target = try LedgerFixture.migrated()
        let tally = try await Self.take(Self.bytes(lines), into: target)
        #expect(tally.wallets == 4 && tally.entries == lines.count { $0.hasPrefix(#"{"type":"entry""#) })
        #expect(tally.refusals == 2 && tally.batches == 2)
        let moved = Self.tables.filter { $0 != "outbox" }
        #expect(try Self.rows(target, of: moved) == Self.rows(fixture.database, of: moved))
        #expect(try Self.rows(target, of: ["outbox"]).isEmpty)
        // The first line tells the moment of the export, the last one its checksum.
        let again = try await Self.export(target)
        #expect(again.dropFirst().dropLast() == lines.dropFirst().dropLast())
        let state = try await StateRebuilder(ledger: try target.configuration(), assets: AssetTable())
            .rebuildAll(repair: false) { _ in true }
        #expect(state.wallets == 4 && state.differing == 0 && state.contradictions.isEmpty, "\(state.differences)")
        // What had an answer there has the same answer here.
        let moving = try LedgerFixture(database: target, bounds: EveryKindOfEntry.bounds, clock: time.clock)
        for (operation, isApplied) in book.keyed {
            let verdict = try await moving.submit(operation)
            #expect(verdict == (try await fixture.submit(operation)))
            guard case .replayed(let outcome) = verdict, case .applied = outcome else {
                #expect(!isApplied, "\(verdict)")
                continue
            }
            #expect(isApplied)
        }
        for (key, operations) in book.batches {
            let verdict = try await moving.submitAtomically(operations, key: key)
            #expect(verdict == (try await fixture.submitAtomically(operations, key: key)))
        }
        #expect(try Self.rows(target, of: moved) == Self.rows(fixture.database, of: moved))
        // And the book goes on: what is pending is completed.
        let held = try target.connect().textRows(
            "SELECT wallet_id::text, transfer_id::text FROM ledger.transfers WHERE status = 1 AND counterparty IS NULL")
        for hold in held {
            guard let wallet = hold[0].flatMap(WalletID.init(text:)),
                let transfer = hold[1].flatMap({ RawUUID(text: $0) }).map({ TransferID($0) })
            else { continue }
            guard case .applied = try await moving.submit(.complete(wallet, transfer)) else {
                Issue.record("\(transfer) cannot be completed")
                continue
            }
        }
        #expect(!held.isEmpty)
        for wallet in book.wallets { try moving.expectSoundBooks(of: wallet) }
        try await moving.stop()
        try await fixture.stop()
    }

    static let exported = Task {
        let time = EveryKindOfEntry.Time()
        let fixture = try LedgerFixture(bounds: EveryKindOfEntry.bounds, clock: time.clock)
        _ = try await EveryKindOfEntry.write(fixture, time)
        let lines = try await export(fixture.database)
        try await fixture.stop()
        return lines
    }

    /// Changes the first line after which `mark` stands.
    static func change(
        _ lines: [String], _ mark: String, _ old: String, _ new: String
    ) -> [String] {
        var lines = lines
        guard let place = lines.firstIndex(where: { $0.contains(mark) && $0.contains(old) }) else { return lines }
        lines[place] = lines[place].replacing(old, with: new, maxReplacements: 1)
        return lines
    }

    /// The import fails with `says`, and nothing is there that was not there before.
    static func expectRefusal(
        _ bytes: [UInt8], says: String, assets: AssetTable = AssetTable(), target: TestDatabase
    ) async throws {
        let before = try Self.rows(target, of: tables)
        do {
            _ = try await take(bytes, into: target, assets: assets)
            Issue.record("it was taken")
        } catch let flaw as BookFile.Flaw {
            #expect("\(flaw)".contains(says), "said: \(flaw)")
        }
        #expect(try Self.rows(target, of: tables) == before)
    }

    @Test func aWalletWithoutItsOtherSideChangesNothing() async throws {
        let lines = try await Self.exported.value
        let starts = lines.indices.filter { lines[$0].hasPrefix(#"{"type":"wallet""#) }
        let entries = lines[starts[2]..<starts[3]].count { $0.hasPrefix(#"{"type":"entry""#) }
        let refusals = lines[starts[2]..<starts[3]].count { $0.hasPrefix(#"{"type":"refusal""#) }
        let all = lines.count { $0.hasPrefix(#"{"type":"entry""#) }
        var harmed = Array(lines[..<starts[2]] + lines[starts[3]...])
        harmed = Self.change(harmed, #""type":"end""#, #""wallets":4"#, #""wallets":3"#)
        harmed = Self.change(harmed, #""type":"end""#, #""entries":\#(all)"#, #""entries":\#(all - entries)"#)
        harmed = Self.change(harmed, #""type":"end""#, #""refusals":2"#, #""refusals":\#(2 - refusals)"#)
        let target = try LedgerFixture.migrated()
        try await Self.expectRefusal(
            Self.bytes(Self.sealed(harmed)), says: "the other wallet tells it otherwise", target: target)
        target.drop()
    }

    @Test func aPlaceThatIsNotFitChangesNothing() async throws {
        let lines = try await Self.exported.value
        let bytes = Self.bytes(lines)
        let fixture = try LedgerFixture()
        let coarse = AssetTable(configured: [try #require(Asset(code: "EUR", scale: 3))])
        try await Self.expectRefusal(
            bytes, says: "set EUR:2 in WALLET_ASSETS", assets: coarse, target: fixture.database)
        let unknown = Self.change(lines, #""type":"book""#, "EUR:2", "EUR:2,SHELLS:4")
        try await Self.expectRefusal(
            Self.bytes(unknown), says: "add SHELLS:4 to WALLET_ASSETS", target: fixture.database)
        _ = try await fixture.open(5)
        try await Self.expectRefusal(bytes, says: "this ledger is not empty", target: fixture.database)
        try await fixture.stop()
    }

    @Test func theServiceRoleIsToldWhoMayImport() async throws {
        let database = try LedgerFixture.migrated()
        let role = "service_\(UInt64.random(in: 0...UInt64.max))"
        let owner = try database.connect()
        defer { owner.close() }
        try owner.execute("CREATE ROLE \(role); SET wallet.role = '\(role)'")
        try owner.execute(try LedgerFixture.specification("service-role.sql"))
        var configuration = try database.configuration()
        configuration.settings.append(("role", role))
        // It may read, so it may export.
        let exporter = BookExporter(ledger: configuration, assets: AssetTable())
        #expect(try await exporter.export(schemaVersion: 1) { _ in } == BookFile.Tally())
        let flaw = await #expect(throws: BookFile.Flaw.self) {
            try await BookImporter(ledger: configuration, assets: AssetTable()).importBook { nil }
        }
        #expect(flaw?.problem.contains("the role that owns the schemas") == true)
        try owner.execute("DROP OWNED BY \(role); DROP ROLE \(role)")
        database.drop()
    }

    @Test func nobodyWritesWhileABookComesIn() async throws {
        let bytes = Self.bytes(try await Self.exported.value)
        let fixture = try LedgerFixture()
        let half = Mutex(false)
        let importer = BookImporter(ledger: try fixture.database.configuration(), assets: AssetTable())
        let (asked, ask) = AsyncStream<Void>.makeStream()
        let importing = Task {
            // Also when it fails: nobody is to wait for ever.
            defer { ask.finish() }
            let place = Mutex(0)
            return try await importer.importBook {
                let start = place.withLock { place in
                    defer { place = min(bytes.count, place + (bytes.count + 1) / 2) }
                    return place
                }
                guard start < bytes.count else { return nil }
                if start > 0 {
                    ask.finish()
                    while !half.withLock({ $0 }) { Attempts.pause() }
                }
                return Array(bytes[start..<min(bytes.count, start + (bytes.count + 1) / 2)])
            }
        }
        for await _ in asked {}
        async let opened = fixture.open(7)
        try await eventually("the writer to wait") {
            try fixture.number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
        }
        #expect(try fixture.number("SELECT count(*) FROM ledger.wallets") == 0)
        half.withLock { $0 = true }
        #expect(try await importing.value.wallets == 4)
        let wallet = try await opened
        #expect(try fixture.number("SELECT count(*) FROM ledger.wallets") == 5)
        try fixture.expectSoundBooks(of: wallet.id)
        try await fixture.stop()
    }

    @Test func aBookThatContradictsItselfIsNotWritten() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(500).id
        _ = try await fixture.submit(.transfer(wallet, .debit, 5, id: fixture.newTransferID(), atOnce: true))
        let connection = try fixture.database.connect()
        defer { connection.close() }
        try connection.execute("ALTER TABLE ledger.journal DISABLE TRIGGER journal_keeps_rows")
        for (harm, mend, says) in [
            (
                "UPDATE ledger.journal SET note = 'x' WHERE version = 2",
                "UPDATE ledger.journal SET note = NULL WHERE version = 2", "breaks its chain of hashes at version 2"
            ),
            (
                "UPDATE ledger.wallets SET version = 3", "UPDATE ledger.wallets SET version = 2",
                "is at version 3, its journal at 2"
            ),
            ("DELETE FROM ledger.wallets", "", "has entries and no row of its own"),
        ] {
            try connection.execute(harm)
            do {
                _ = try await Self.export(fixture.database)
                Issue.record("it was written: \(harm)")
            } catch let flaw as BookFile.Flaw {
                #expect("\(flaw)".contains(says), "said: \(flaw)")
            }
            try connection.execute(mend)
        }
        try await fixture.stop()
    }

    @Test func anExportIsTheBookAsOfOneMoment() async throws {
        let fixture = try LedgerFixture()
        for _ in 0..<3 { _ = try await fixture.open(1000) }
        let bytes = Mutex<[UInt8]>([])
        let wallet = try await fixture.open(1000).id
        // Larger than one portion, so that the writer is in the middle of the book when the first one arrives.
        for _ in 0..<200 {
            _ = try await fixture.submit(.transfer(wallet, .debit, 5, id: fixture.newTransferID(), atOnce: true))
        }
        let connection = try fixture.database.connect()
        defer { connection.close() }
        let (first, tell) = AsyncStream<Void>.makeStream()
        let goOn = Mutex(false)
        let exporter = BookExporter(ledger: try fixture.database.configuration(), assets: AssetTable())
        let exporting = Task {
            defer { tell.finish() }
            return try await exporter.export(schemaVersion: 1) { piece in
                bytes.withLock { $0 += piece }
                tell.finish()
                while !goOn.withLock({ $0 }) { Attempts.pause() }
            }
        }
        for await _ in first {}
        _ = try await fixture.submit(.transfer(wallet, .debit, 5, id: fixture.newTransferID(), atOnce: true))
        _ = try await fixture.open(3)
        goOn.withLock { $0 = true }
        let tally = try await exporting.value
        #expect(tally.wallets == 4 && tally.entries == 204)
        let target = try LedgerFixture.migrated()
        #expect(try await Self.take(bytes.withLock { $0 }, into: target, piece: 1 << 16) == tally)
        try await fixture.stop()
    }
}
