import Foundation
import JSON
import Ledger
import LedgerStore
import Testing

@testable import API

@Suite struct ProblemTests {
    /// The rows of the catalogue's table with four columns: code, status, retry.
    private func catalogue() throws -> [(code: String, status: Int, retry: String)] {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../specification/errors.md")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 4, cells[0].hasPrefix("`"), let status = Int(cells[1]) else { return nil }
            return (cells[0].trimmingCharacters(in: ["`"]), status, cells[2])
        }
    }

    @Test func theCatalogueListsEveryCodeWithItsStatus() throws {
        let rows = try catalogue()
        #expect(Set(rows.map(\.code)) == Set(ProblemCode.allCases.map(\.rawValue)))
        #expect(rows.count == ProblemCode.allCases.count)
        for row in rows {
            #expect(ProblemCode(rawValue: row.code)?.status == row.status, "\(row.code)")
            #expect(["no", "yes", "with a new key", "yes, with the same key"].contains(row.retry), "\(row.code)")
        }
    }

    @Test func theCatalogueListsEveryFieldCode() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../specification/errors.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        for code in FieldError.Code.allCases { #expect(text.contains("| `\(code.rawValue)` |")) }
    }

    @Test func refusalsHaveTheirCodes() throws {
        let command = Command.complete(transferID, amount: nil)
        let receipt = try makeReceipt()
        let refusals: [(Refusal, ProblemCode)] = [
            (.idempotencyKeyReused, .idempotencyKeyReused), (.walletNotFound, .walletNotFound),
            (.walletExists, .walletExists), (.amountPrecision(scale: 2), .invalidRequest),
            (.walletNotActive(.frozen), .walletNotActive), (.transferNotFound, .transferNotFound),
            (.transferExists, .transferExists), (.transferNotPending(receipt), .transferNotPending),
            (.expiryInPast, .invalidRequest), (.versionMismatch(current: 4), .versionMismatch),
            (.amountExceedsPending(pending: 5, asset: try asset()), .amountExceedsPending),
            (.amountOutOfRange, .amountOutOfRange),
            (.insufficientFunds(available: 5, amount: 7, asset: try asset()), .insufficientFunds),
            (.selfTransfer, .selfTransfer), (.counterpartyNotFound, .counterpartyNotFound),
            (.assetMismatch, .assetMismatch), (.counterpartyNotActive(.closed), .counterpartyNotActive),
            (.transferNotCompleted(.pending), .transferNotCompleted),
            (.transferNotReversible, .transferNotReversible), (.expiryNotLater, .expiryNotLater),
            (.amountExceedsReversible(reversible: 5, asset: try asset()), .amountExceedsReversible),
            (.walletNotEmpty, .walletNotEmpty), (.overdraftInUse(used: 5, asset: try asset()), .overdraftInUse),
        ]
        for (refusal, code) in refusals { #expect(Problem(refusal, of: command).code == code) }
        #expect(Problem(.amountPrecision(scale: 2), of: command).errors.map(\.field) == ["amount"])
        #expect(Problem(.expiryInPast, of: command).errors.map(\.field) == ["expires_at"])
        // The batch that was to make the transfer was refused.
        let dropped = Problem(.transferNotPending(Receipt(wallet: receipt.wallet, transfer: nil)), of: command)
        #expect(!String(decoding: dropped.body(correlationID: "c"), as: UTF8.self).contains(#""transfer":"#))
    }

    @Test func storageFailuresHaveTheirCodes() {
        let busy = Problem(LedgerStoreError.overloaded(retryAfterSeconds: 3))
        #expect(busy.code == .overloaded)
        #expect(busy.retryAfter == 3)
        #expect(Problem(LedgerStoreError.unavailable).code == .storageUnavailable)
        #expect(Problem(LedgerStoreError.unavailable).retryAfter == 1)
        #expect(Problem(LedgerStoreError.outcomeUnknown).code == .outcomeUnknown)
        let broken = Problem(LedgerStoreError.inconsistent("row 7"))
        #expect(broken.code == .internalError)
        #expect(broken.cause == "row 7")
        #expect(!String(decoding: broken.body(correlationID: "c"), as: UTF8.self).contains("row 7"))
    }

    @Test func bodiesCarryTheirMembers() throws {
        func body(_ refusal: Refusal) throws -> JSONValue {
            try JSONValue(
                parsing: Problem(refusal, of: .revert(transferID, note: nil)).body(correlationID: "c-1"))
        }
        let funds = try body(.insufficientFunds(available: -5, amount: 700, asset: try asset()))
        #expect(funds["available"]?.string == "-0.05")
        #expect(funds["amount"]?.string == "7.00")
        #expect(funds["asset"]?.string == "EUR")
        #expect(funds["status"]?.int64 == 422)
        #expect(funds["code"]?.string == "insufficient_funds")
        #expect(funds["type"]?.string == "urn:wallet:problem:insufficient_funds")
        #expect(funds["correlation_id"]?.string == "c-1")
        #expect(try body(.versionMismatch(current: 12))["current_version"]?.int64 == 12)
        #expect(try body(.walletNotActive(.frozen))["wallet_status"]?.string == "frozen")
        #expect(
            try body(.amountExceedsPending(pending: 100, asset: try asset()))["pending_amount"]?.string == "1.00")
        #expect(try body(.counterpartyNotActive(.closed))["wallet_status"]?.string == "closed")
        let left = try body(.amountExceedsReversible(reversible: 100, asset: try asset()))
        #expect(left["reversible_amount"]?.string == "1.00")
        #expect(try body(.overdraftInUse(used: 7, asset: try asset()))["overdraft_used"]?.string == "0.07")
        let standing = try body(.transferNotPending(try makeReceipt()))
        #expect(standing["transfer"]?["id"]?.string == transferID.text)
        #expect(standing["transfer"]?["wallet"]?["version"]?.int64 == 3)
        let fields = try JSONValue(parsing: Problem("a", .unknown, "No \"a\".").body(correlationID: "c"))
        #expect(fields["errors"]?.array?.first?["field"]?.string == "a")
    }
}
