import Ledger
import Testing

@testable import API

@Suite struct CursorTests {
    private static let filters = [
        TransferFilter(),
        TransferFilter(status: .pending, direction: nil, from: nil, to: nil),
        TransferFilter(status: .failed, direction: .credit, from: moment, to: nil),
        TransferFilter(status: nil, direction: .debit, from: .earliest, to: .latest),
    ]

    private func listing(_ query: String, wallet: WalletID = walletID) throws -> TransferListing {
        var errors: [FieldError] = []
        let parameters = QueryParameters(
            query, allowed: TransferListing.parameters, errors: &errors)
        _ = Freshness(parameters, RequestHeaders([]), errors: &errors)
        let listing = try TransferListing(parameters, wallet: wallet, errors: &errors)
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        return listing
    }

    private func refusal(_ query: String, wallet: WalletID = walletID) -> String? {
        do {
            _ = try listing(query, wallet: wallet)
            return nil
        } catch let problem as Problem {
            return ([problem.code.rawValue] + problem.errors.map { "\($0.field) \($0.code.rawValue)" })
                .joined(separator: ", ")
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: filters)
    func roundTrip(_ filter: TransferFilter) {
        let cursor = Cursor(wallet: walletID, filter: filter, before: 77)
        #expect(Cursor(text: cursor.text) == cursor)
        #expect(
            cursor.text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == 0x2D || byte == 0x5F
            })
    }

    @Test func everyChangedCharacterIsNoticed() {
        let text = Cursor(wallet: walletID, filter: Self.filters[2], before: 77).text
        for index in text.indices {
            var changed = text
            changed.replaceSubrange(index...index, with: text[index] == "A" ? "B" : "A")
            #expect(Cursor(text: changed) == nil)
        }
        #expect(Cursor(text: "") == nil)
        #expect(Cursor(text: text + "A") == nil)
        #expect(Cursor(text: text + "=") == nil)
        #expect(Cursor(text: String(text.dropLast())) == nil)
    }

    @Test func aCursorCarriesItsFilters() throws {
        let cursor = Cursor(wallet: walletID, filter: Self.filters[1], before: 9).text
        let alone = try listing("cursor=\(cursor)&limit=7")
        #expect(alone.filter == Self.filters[1])
        #expect(alone.before == 9)
        #expect(alone.limit == 7)
        #expect(try listing("status=pending&cursor=\(cursor)").before == 9)
        #expect(refusal("status=failed&cursor=\(cursor)") == "invalid_cursor")
        #expect(refusal("status=pending&direction=debit&cursor=\(cursor)") == "invalid_cursor")
        #expect(refusal("cursor=\(cursor)", wallet: WalletID(RawUUID(bits: 1))) == "invalid_cursor")
        #expect(refusal("cursor=x") == "invalid_cursor")
        #expect(refusal("cursor=") == "invalid_cursor")
    }

    @Test func filtersAreRead() throws {
        let read = try listing(
            "status=completed&direction=credit&from=2026-01-01T00%3A00%3A00Z&to=2026-01-02T00:00:00%2B01:00&limit=200")
        #expect(read.filter.status == .completed)
        #expect(read.filter.direction == .credit)
        #expect(read.filter.from == Timestamp(text: "2026-01-01T00:00:00Z"))
        #expect(read.filter.to == Timestamp(text: "2026-01-01T23:00:00Z"))
        #expect(read.limit == 200)
        #expect(try listing("").limit == 50)
        #expect(try listing("").before == nil)
    }

    @Test(arguments: [
        ("limit=0", "limit out_of_range"), ("limit=201", "limit out_of_range"), ("limit=x", "limit out_of_range"),
        ("limit=", "limit out_of_range"), ("limit", "limit out_of_range"), ("limit=-1", "limit out_of_range"),
        ("limit=%31%", "limit malformed"), ("status=open", "status out_of_range"),
        ("direction=in", "direction out_of_range"), ("from=yesterday", "from malformed"), ("to=5", "to malformed"),
        ("page=2", "page unknown"), ("limit=1&limit=1", "limit duplicate"), ("%zz=1", "query malformed"),
        ("from=%FF", "from malformed"), ("consistency=weak", "consistency out_of_range"),
        ("min_version=-1", "min_version malformed"), ("min_version=1.0", "min_version malformed"),
        ("=1", " unknown"),
    ])
    func badParametersAreNamed(_ query: String, _ finding: String) {
        #expect(refusal(query) == "invalid_request, \(finding)")
    }

    @Test func freshness() {
        func read(_ query: String, _ header: String?) -> (Freshness, [FieldError]) {
            var errors: [FieldError] = []
            let parameters = QueryParameters(query, allowed: Freshness.parameters, errors: &errors)
            let headers = RequestHeaders(header.map { [(name: "Wallet-Min-Version", value: $0)] } ?? [])
            return (Freshness(parameters, headers, errors: &errors), errors)
        }
        #expect(read("", nil).0 == Freshness())
        #expect(read("consistency=strong", nil).0 == Freshness(isStrong: true))
        #expect(read("min_version=5", nil).0 == Freshness(minVersion: 5))
        #expect(read("", "5").0 == Freshness(minVersion: 5))
        #expect(read("min_version=5", "5").0 == Freshness(minVersion: 5))
        #expect(read("min_version=5", "6").1.map(\.code) == [.conflict])
        #expect(read("", "x").1.map(\.field) == ["Wallet-Min-Version"])
    }
}
