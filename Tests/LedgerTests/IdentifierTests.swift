import Ledger
import Testing

@Suite("Ids, words and assets")
struct IdentifierTests {
    @Test("uuids in both cases, and back in lower case")
    func uuidText() {
        let text = "0192a3b4-c5d6-7e8f-9012-3456789abcde"
        let uuid = RawUUID(text: text)
        #expect(uuid?.bits == 0x0192_A3B4_C5D6_7E8F_9012_3456_789A_BCDE)
        #expect(uuid?.text == text && RawUUID(text: text.uppercased()) == uuid)
        #expect(WalletID(text: text)?.text == text && TransferID(text: text)?.description == text)
        #expect(RawUUID(bits: 0).text == "00000000-0000-0000-0000-000000000000")
        #expect(RawUUID(bits: UInt128.max).text == "ffffffff-ffff-ffff-ffff-ffffffffffff")
        var bytes = Array("id=".utf8)
        uuid?.append(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "id=" + text)
        #expect(RawUUID(utf8: bytes.dropFirst(3)) == uuid)
        #expect(RawUUID(utf8: AnyCollection(Array(text.utf8))) == uuid)
        #expect(RawUUID(utf8: AnyCollection(Array("x".utf8))) == nil)
    }

    @Test(
        "texts that are no uuid",
        arguments: [
            "", "0192a3b4c5d67e8f90123456789abcde", "{0192a3b4-c5d6-7e8f-9012-3456789abcde}",
            "0192a3b4-c5d6-7e8f-9012-3456789abcd", "0192a3b4-c5d6-7e8f-9012-3456789abcdef",
            "0192a3b4-c5d6-7e8f-9012-3456789abcdg", "0192a3b-4c5d6-7e8f-9012-3456789abcde",
            "0192a3b4-c5d6-7e8f-9012-3456789abcd ", "-192a3b4-c5d6-7e8f-9012-3456789abcde",
            "0192a3b4-c5d6-7e8f-90123-456789abcde", "0192a3b4_c5d6_7e8f_9012_3456789abcde",
            "0192a3b4-c5d6-7e8f-9012-3456789abcd/", "0192a3b4-c5d6-7e8f-9012-3456789abcd:",
            "0192a3b4-c5d6-7e8f-9012-3456789abcd@", "0192a3b4-c5d6-7e8f-9012-3456789abcd`",
        ])
    func badUUIDs(text: String) {
        #expect(RawUUID(text: text) == nil && RawUUID(utf8: Array(text.utf8)) == nil)
        #expect(WalletID(text: text) == nil && TransferID(text: text) == nil)
    }

    @Test("uuids go round, and order as their texts do")
    func randomUUIDs() {
        var numbers = SeededNumbers.announced("random uuids")
        for _ in 0..<2_000 {
            let bits = UInt128(numbers.next()) << 64 | UInt128(numbers.next())
            let near = numbers.once(in: 2) ? bits ^ (1 << UInt128(numbers.below(128))) : UInt128(numbers.next())
            let (left, right) = (RawUUID(bits: bits), RawUUID(bits: near))
            guard RawUUID(text: left.text) == left, (left < right) == (left.text < right.text),
                (WalletID(left) < WalletID(right)) == (left < right), left.text.utf8.count == 36
            else {
                Issue.record("seed \(numbers.seed): \(left) and \(right)")
                return
            }
        }
    }

    @Test("a wallet's placement never changes and spreads")
    func placement() {
        // Written down once: lanes and partitions of stored events depend on these numbers.
        #expect(WalletID(RawUUID(bits: 0)).placement == 0)
        #expect(WalletID(RawUUID(bits: 1)).placement == 0xB456_BCFC_34C2_CB2C)
        var counts = Array(repeating: 0, count: 8)
        for number in 0..<8_000 {
            // Version 7 ids of one process: time above, a counter and random bits below.
            let bits = UInt128(0x0193_0000_0000 + number / 10) << 80 | 0x7 << 76 | UInt128(number % 10) << 64 | 2 << 62
            counts[Int(WalletID(RawUUID(bits: bits)).placement % 8)] += 1
        }
        #expect(counts.allSatisfy { (800...1_200).contains($0) }, "\(counts)")
    }

    @Test("every word names its case")
    func words() {
        #expect(Direction.allCases.map(\.word) == ["debit", "credit"])
        #expect(TransferStatus.allCases.map(\.word) == ["pending", "completed", "failed"])
        #expect(WalletStatus.allCases.map(\.word) == ["active", "frozen", "closed"])
        #expect(FailureReason.allCases.map(\.rawValue) == ["reverted", "expired", "insufficient_funds"])
        #expect(Direction.allCases.allSatisfy { Direction(word: $0.word) == $0 })
        #expect(TransferStatus.allCases.allSatisfy { TransferStatus(word: $0.word) == $0 })
        #expect(WalletStatus.allCases.allSatisfy { WalletStatus(word: $0.word) == $0 })
        #expect(Direction(word: "Debit") == nil && TransferStatus(word: "") == nil && WalletStatus(word: "open") == nil)
    }

    @Test("numbers that are stored never change their meaning")
    func storedNumbers() {
        #expect(Direction.allCases.map(\.rawValue) == [1, 2])
        #expect(TransferStatus.allCases.map(\.rawValue) == [1, 2, 3])
        #expect(WalletStatus.allCases.map(\.rawValue) == [1, 2, 3])
        let kinds: [EntryKind] = [
            .opened, .pending, .posted, .completed, .reverted, .expired, .refused, .extended, .amended,
        ]
        #expect(EntryKind.allCases == kinds && kinds.map(\.rawValue) == [1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(Set(kinds.map(\.word)).count == 9)
        let purposes: [TransferPurpose] = [.transfer, .reversal, .adjustment]
        #expect(TransferPurpose.allCases == purposes && purposes.map(\.rawValue) == [1, 2, 3])
        #expect(purposes.allSatisfy { TransferPurpose(word: $0.word) == $0 } && TransferPurpose(word: "") == nil)
    }

    @Test("ISO 4217: every currency whose decimals are not two, and some whose are")
    func currencies() {
        let table = AssetTable()
        let expected: [Int: String] = [
            0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
            3: "BHD IQD JOD KWD LYD OMR TND", 4: "CLF UYW",
        ]
        for scale in [0, 3, 4] {
            #expect(table.all.filter { $0.scale == scale }.map(\.code).joined(separator: " ") == expected[scale])
        }
        for code in ["EUR", "USD", "GBP", "CHF", "CNY", "INR", "BRL", "MRU", "MGA", "HUF", "ZWG", "XCG", "VED", "SLE"] {
            #expect(table[code]?.scale == 2, "\(code)")
        }
        for code in ["", "eur", "EURO", "DEM", "HRK", "ZWL", "XTS", "XAU", "BTC"] {
            #expect(table[code] == nil, "\(code)")
        }
        #expect(table.all.count > 150 && table.all.allSatisfy { $0.code.utf8.count == 3 })
        #expect(table.all.map(\.code) == table.all.map(\.code).sorted())
    }

    @Test("configured assets are added, and win")
    func configured() throws {
        let ether = try #require(Asset(code: "ETH", scale: 18))
        let table = AssetTable(configured: [ether] + [Asset(code: "EUR", scale: 4)].compactMap { $0 })
        #expect(table["ETH"] == ether && table["EUR"]?.scale == 4 && table["USD"]?.scale == 2)
        #expect(table.all.count == AssetTable().all.count + 1)
        for code in ["", "eth", "E TH", "ÄÖ", "ABCDEFGHIJKLMNOPQ", "A/B", "A:B"] {
            #expect(Asset(code: code, scale: 2) == nil, "\(code)")
        }
        #expect(Asset(code: "A", scale: -1) == nil && Asset(code: "A", scale: 31) == nil)
        #expect(Asset(code: "ABCDEFGHIJKLMNOP", scale: 30) != nil && Asset(code: "A_B-C.9", scale: 0) != nil)
    }
}
