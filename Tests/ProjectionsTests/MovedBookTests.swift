import Ledger
import LedgerStore
import Synchronization
import TestSupport
import Testing

@testable import Projections

/// A book that was moved is whole: the auditors find nothing, before and after it goes on.
@Suite struct MovedBookTests {
    @Test func theAuditOfAMovedBookIsClean() async throws {
        try await EventPath.run { source in
            let wallets = try await source.openMany(5)
            try await source.traffic(wallets, rounds: 9)
            for (from, to) in zip(wallets, wallets[1...]) { try await source.send(from, to: to, 321) }
            let moved = try await source.transfer(wallets[2], .debit, 900, atOnce: true)
            try await source.reverse(wallets[2], moved, 400)
            let bytes = Mutex<[UInt8]>([])
            let exporter = BookExporter(ledger: try source.database.configuration(), assets: AssetTable())
            let written = try await exporter.export(schemaVersion: 1) { piece in bytes.withLock { $0 += piece } }
            try await EventPath.run { target in
                // What stands in the new projections already is not the book's.
                try target.executeOnProjections(
                    """
                    INSERT INTO projection.totals_wallets VALUES (gen_random_uuid(), 1, 5, 5, 'EUR');
                    INSERT INTO projection.outside_accounts VALUES ('EUR', 'world', 5), ('EUR', 'system', 5)
                    """)
                let importer = BookImporter(ledger: try target.database.configuration(), assets: AssetTable())
                let taken = try await importer.importBook {
                    bytes.withLock { bytes in
                        defer { bytes = [] }
                        return bytes.isEmpty ? nil : bytes
                    }
                }
                #expect(taken == written)
                #expect(try await !target.audit(totals: true).isClean)
                try await target.projectAll()
                let report = try await target.audit(totals: true)
                #expect(report.isClean && report.wallets == 5 && report.entries == written.entries, "\(report.drifts)")
                // The book goes on, and the events of what happens from now on reach the projections.
                _ = try await target.startProjector()
                _ = try await target.startRelay()
                try await target.traffic(wallets, rounds: 3)
                try await target.expectBooksToAgree()
            }
        }
    }
}
