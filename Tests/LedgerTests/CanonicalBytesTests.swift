import Ledger
import Testing

/// An entry whose every field can be changed.
private struct Draft {
    var walletID = wallet(1)
    var version: Int64 = 2
    var kind = EntryKind.posted
    var transferID: TransferID? = transfer(1)
    var direction: Direction? = .debit
    var sums: [Int128] = [5, 6, 7, 8, 9]
    var counterparty: WalletID? = wallet(2)
    var key: IdempotencyKey? = IdempotencyKey(reference: "key", digest: 3)
    var contentHash: UInt128? = 4
    /// Note, description, metadata, actor.
    var texts: [String?] = ["a", "b", "{}", "c"]
    var expiresAt: Timestamp? = second(9)
    var occurredAt = second(1)
    var status = WalletStatus.active
    var purpose: TransferPurpose? = .reversal
    var related: TransferID? = transfer(7)

    var entry: Entry {
        Entry(
            walletID: walletID, version: version, kind: kind, transferID: transferID, direction: direction,
            amount: sums[0], balance: sums[1], pendingDebit: sums[2], pendingCredit: sums[3], overdraftLimit: sums[4],
            counterparty: counterparty, key: key, contentHash: contentHash, note: texts[0], description: texts[1],
            metadata: texts[2], expiresAt: expiresAt, occurredAt: occurredAt, status: status, purpose: purpose,
            related: related, actor: texts[3])
    }

    func with(_ change: (inout Draft) -> Void) -> Draft {
        var copy = self
        change(&copy)
        return copy
    }
}

@Suite("Canonical bytes of entries")
struct CanonicalBytesTests {
    /// Entries that differ from each other in one or two fields, each field changed and, where it may be, left out.
    private func variants() -> [Draft] {
        let draft = Draft()
        var variants: [Draft] = [
            draft, draft.with { $0.walletID = wallet(3) }, draft.with { $0.version = 3 },
            draft.with { $0.kind = .pending }, draft.with { $0.transferID = transfer(2) },
            draft.with { $0.transferID = nil }, draft.with { $0.direction = .credit },
            draft.with { $0.direction = nil }, draft.with { $0.counterparty = wallet(4) },
            draft.with { $0.counterparty = nil }, draft.with { $0.key = nil },
            draft.with { $0.key = IdempotencyKey(reference: "key", digest: 4) },
            draft.with { $0.key = IdempotencyKey(reference: "kez", digest: 3) }, draft.with { $0.contentHash = 5 },
            draft.with { $0.contentHash = nil }, draft.with { $0.expiresAt = second(8) },
            draft.with { $0.expiresAt = nil }, draft.with { $0.occurredAt = second(2) },
            draft.with { $0.status = .frozen }, draft.with { $0.purpose = .adjustment },
            draft.with { $0.purpose = nil }, draft.with { $0.related = transfer(8) }, draft.with { $0.related = nil },
        ]
        for index in draft.sums.indices {
            variants.append(draft.with { $0.sums[index] += 1 })
            variants.append(draft.with { $0.sums[index] = -$0.sums[index] })
        }
        for index in draft.texts.indices {
            for text in [nil, "", "x", "a\u{301}", "\u{e1}"] { variants.append(draft.with { $0.texts[index] = text }) }
            // The same characters, cut elsewhere.
            if index > 0 {
                variants.append(draft.with { ($0.texts[index - 1], $0.texts[index]) = ("no", "te") })
                variants.append(draft.with { ($0.texts[index - 1], $0.texts[index]) = ("n", "ote") })
            }
        }
        return variants
    }

    @Test("a change of any field changes them")
    func injective() {
        var seen: [[UInt8]: Int] = [:]
        for (index, variant) in variants().enumerated() {
            let bytes = variant.entry.canonicalBytes
            #expect(seen[bytes] == nil, "variants \(index) and \(seen[bytes] ?? 0)")
            seen[bytes] = index
        }
        let fields = Mirror(reflecting: Draft().entry).children.count
        #expect(fields == 22, "a field that the bytes may not know")
    }

    @Test("their form never changes")
    func golden() {
        var bytes: [UInt8] = [1]
        func add(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.bigEndian) { bytes += Array($0) } }
        func add(_ text: String) {
            bytes.append(1)
            add(UInt64(text.utf8.count))
            bytes += Array(text.utf8)
        }
        add(wallet(1).uuid.bits)
        add(Int64(2))
        add(second(1).microseconds)
        add(Int16(3))
        add(Int16(1))
        for sum: Int128 in [5, 6, 7, 8, 9] { add(sum) }
        for id in [transfer(1).uuid.bits] {
            bytes.append(1)
            add(id)
        }
        bytes += [1, 0, 1, 1]
        add(wallet(2).uuid.bits)
        bytes += [1, 0, 2, 1]
        add(transfer(7).uuid.bits)
        bytes.append(1)
        add(second(9).microseconds)
        for number: UInt128 in [4, 3] {
            bytes.append(1)
            add(number)
        }
        for text in ["key", "a", "b", "{}", "c"] { add(text) }
        #expect(Draft().entry.canonicalBytes == bytes)
        let bare = Draft().with {
            ($0.transferID, $0.direction, $0.counterparty, $0.key, $0.contentHash) = (nil, nil, nil, nil, nil)
            ($0.texts, $0.expiresAt, $0.purpose, $0.related) = ([nil, nil, nil, nil], nil, nil, nil)
        }
        #expect(Array(bare.entry.canonicalBytes.dropFirst(117)) == [UInt8](repeating: 0, count: 13))
    }
}
