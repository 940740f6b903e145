import Ledger
import Requests
import Testing

/// A wanted wallet and the operation made of it.
@Suite struct OpeningRequestTests {
    private static let asset = Asset(code: "EUR", scale: 2)
    private static let id = RawUUID(bits: 7)

    private func operation(
        walletID: WalletID? = nil, ownerID: String? = "anna", writtenAsset: String? = "EUR", reference: String? = "r"
    ) throws -> Operation {
        OpeningRequest(
            walletID: walletID, ownerID: ownerID, asset: try #require(Self.asset), writtenAsset: writtenAsset,
            key: reference.map { IdempotencyKey(reference: $0) }
        ).operation(newID: { Self.id })
    }

    @Test func aRepeatHasTheSameContentWhateverIDItBrings() throws {
        let first = try operation()
        #expect(first.walletID == WalletID(Self.id))
        #expect(first.contentHash != nil)
        #expect(first.contentHash == (try operation(reference: "another")).contentHash)
        #expect(first.contentHash != (try operation(ownerID: "bela")).contentHash)
        #expect(first.contentHash != (try operation(writtenAsset: nil)).contentHash)
    }

    @Test func anIDOfTheClientsOwnIsContent() throws {
        let chosen = WalletID(RawUUID(bits: 9))
        let operation = try operation(walletID: chosen, reference: nil)
        #expect(operation.walletID == chosen)
        #expect(operation.contentHash != nil)
        guard case .open(let opening) = operation.command else {
            Issue.record("not an opening")
            return
        }
        #expect(opening.hasClientID)
    }

    @Test func whatNothingCanRepeatHasNoHash() throws {
        #expect(try operation(reference: nil).contentHash == nil)
    }
}
