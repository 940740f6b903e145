import Ledger
import LedgerStore
import TestSupport
import Testing

/// A file that was altered, cut or mixed up is refused with a reason, and nothing of it is taken.
@Suite struct HarmedBookTests {
    /// A way to harm a file, and what is said of it.
    struct Harm: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let says: String
        let harm: @Sendable ([String]) -> [UInt8]

        /// The checksum fits what was done, unless told otherwise.
        init(
            _ name: String, says: String, isSealed: Bool = true, _ harm: @escaping @Sendable ([String]) -> [String]
        ) {
            self.init(
                name, says: says, bytes: { BookFileTests.bytes(isSealed ? BookFileTests.sealed(harm($0)) : harm($0)) })
        }

        /// The bytes of the whole file are changed.
        static func ofBytes(
            _ name: String, says: String, _ harm: @escaping @Sendable ([UInt8]) -> [UInt8]
        ) -> Harm {
            Harm(name, says: says, bytes: { harm(BookFileTests.bytes($0)) })
        }

        private init(_ name: String, says: String, bytes: @escaping @Sendable ([String]) -> [UInt8]) {
            testDescription = name
            self.says = says
            harm = bytes
        }
    }

    private static func drop(_ lines: [String], _ mark: String) -> [String] {
        var lines = lines
        if let place = lines.firstIndex(where: { $0.contains(mark) }) { lines.remove(at: place) }
        return lines
    }

    static let harms: [Harm] = [
        Harm("an amount", says: "is stored as") {
            BookFileTests.change($0, #""kind":"posted""#, #""amount":"50.00""#, #""amount":"50.01""#)
        },
        Harm("a word", says: "the chain of hashes is broken") {
            BookFileTests.change($0, #""note":"a cent""#, "a cent", "no cent")
        },
        Harm("a hash", says: "the chain of hashes is broken") { lines in
            var lines = lines
            if let place = lines.firstIndex(where: { $0.contains(#""kind":"pending""#) }) {
                lines[place] = lines[place].dropLast(66) + String(repeating: "0", count: 64) + "\"}"
            }
            return lines
        },
        Harm("an entry that is gone", says: "follows version") { drop($0, #""kind":"completed""#) },
        Harm("the newest entry that is gone", says: "ends at version") { lines in
            var lines = lines
            let end = lines.lastIndex { $0.contains(#""kind":"amended""#) }
            if let end { lines.remove(at: end) }
            return lines
        },
        Harm("a wallet that is gone", says: "belongs to wallet") { lines in
            var lines = lines
            let second = lines.indices.filter { lines[$0].hasPrefix(#"{"type":"wallet""#) }[1]
            lines.remove(at: second)
            return lines
        },
        Harm("two lines in another order", says: "follows version") { lines in
            var lines = lines
            lines.swapAt(3, 4)
            return lines
        },
        Harm("a wallet twice", says: "out of order") { lines in
            let wallet = lines[1..<(lines.dropFirst(2).firstIndex { $0.hasPrefix(#"{"type":"wallet""#) } ?? 2)]
            return Array(lines[..<wallet.endIndex] + wallet + lines[wallet.endIndex...])
        },
        Harm("a refusal that is gone", says: "refusals") { drop($0, #"{"type":"refusal""#) },
        Harm("a refusal in another place", says: "a refusal of another wallet") { lines in
            var lines = lines
            guard let place = lines.lastIndex(where: { $0.hasPrefix(#"{"type":"refusal""#) }) else { return lines }
            let refusal = lines.remove(at: place)
            lines.insert(refusal, at: 2)
            return lines
        },
        Harm("a batch twice", says: "the database refuses") { lines in
            var lines = lines
            let batch = lines[lines.count - 2]
            lines.insert(batch, at: lines.count - 1)
            return BookFileTests.change(lines, #""type":"end""#, #""batches":2"#, #""batches":3"#)
        },
        Harm("an owner, and no new checksum", says: "the file was altered", isSealed: false) {
            BookFileTests.change($0, #""type":"wallet""#, #""asset""#, #""owner_id":"eve","asset""#)
        },
        Harm("a count", says: "the file tells of") {
            BookFileTests.change($0, #""type":"end""#, #""wallets":4"#, #""wallets":5"#)
        },
        Harm("a file without its end", says: "the last line is missing") { Array($0.dropLast()) },
        .ofBytes("a line without its end", says: "the line has no end") { Array($0.dropLast()) },
        .ofBytes("a line without its end in the middle", says: "the line has no end") { Array($0[..<($0.count / 2)]) },
        .ofBytes("an empty file", says: "line 1: the last line is missing") { _ in [] },
        .ofBytes("something behind the end", says: "something follows the last line") { $0 + Array("\n".utf8) },
        Harm("no JSON", says: "line 5: no line of a book file") { lines in
            var lines = lines
            lines[4] = "# \(lines[4])"
            return lines
        },
        .ofBytes("a broken character", says: "not valid UTF-8") { bytes in
            bytes.map { $0 == 0xF0 ? 0xFF : $0 }
        },
        Harm("another format", says: "line 1: this is no book file") {
            BookFileTests.change($0, "book", "wallet-book", "notebook")
        },
        Harm("a later format", says: "line 1: the file has format version 2") {
            BookFileTests.change($0, "book", #""format_version":1"#, #""format_version":2"#)
        },
        Harm("no first line", says: "line 1: this is no book file") { Array($0.dropFirst()) },
        Harm("a line of another type", says: "unknown type") {
            BookFileTests.change($0, #""type":"batch""#, "batch", "bunch")
        },
        Harm("a member of a later version", says: "the member \"colour\" is not known") {
            BookFileTests.change($0, #""type":"entry""#, #""kind""#, #""colour":"red","kind""#)
        },
        Harm("a sum with too many decimals", says: "the member \"amount\" cannot be") {
            BookFileTests.change($0, #""type":"entry""#, #""amount":"10.00""#, #""amount":"10.000""#)
        },
        Harm("an asset that the first line does not name", says: "does not name the asset USD") {
            BookFileTests.change($0, #""type":"wallet""#, "EUR", "USD")
        },
    ]

    @Test(arguments: harms) func aHarmedFileChangesNothing(_ harm: Harm) async throws {
        let lines = try await BookFileTests.exported.value
        let harmed = harm.harm(lines)
        #expect(harmed != BookFileTests.bytes(lines))
        let target = try LedgerFixture.migrated()
        try await BookFileTests.expectRefusal(harmed, says: harm.says, target: target)
        // It was the harm, and nothing of it stays.
        #expect(try await BookFileTests.take(BookFileTests.bytes(lines), into: target, piece: 1 << 20).wallets == 4)
        target.drop()
    }
}
