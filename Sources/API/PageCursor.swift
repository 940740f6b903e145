import Ledger

/// The place where the next page of a list begins, with the list it belongs to: its subject, filter and order.
///
/// The text is base64url over a format byte, the parts and a check sum, which is against accidents only: everything in
/// a cursor could be asked for openly.
struct PageCursor: Equatable, Sendable {
    /// The lists. The numbers are part of cursors that clients hold.
    enum List: UInt8 {
        case entries = 1
        case days = 2
        case months = 3
        case wallets = 4
    }

    let list: List
    /// The wallet whose list it is; zero for lists without one.
    var wallet = WalletID(RawUUID(bits: 0))
    /// The owner whose list it is; empty for lists without one.
    var owner = ""
    /// Whether the oldest comes first.
    var oldestFirst = false
    var from: Timestamp?
    var to: Timestamp?
    /// The version, moment or id of the last item seen.
    var last: UInt128 = 0

    private static let format: UInt8 = 2
    private static let shortest = 3 + 16 + 8 + 8 + 16 + 4

    init(_ list: List) { self.list = list }

    /// The cursor with another place, which tells whether two belong to one list.
    func at(_ last: UInt128) -> PageCursor {
        var cursor = self
        cursor.last = last
        return cursor
    }

    /// Reads a cursor's text; nil for anything that `text` did not make.
    init?(text: String) {
        guard let bytes = Base64URL.decode(text.utf8), bytes.count >= Self.shortest, bytes[0] == Self.format,
            Cursor.checkSum(bytes.dropLast(4)) == Cursor.number(bytes.suffix(4)), let list = List(rawValue: bytes[1]),
            let owner = String(validating: bytes[51..<(bytes.count - 4)], as: UTF8.self)
        else { return nil }
        self.list = list
        let flags = bytes[2]
        wallet = WalletID(RawUUID(bits: Self.wide(bytes[3..<19])))
        oldestFirst = flags & 4 != 0
        from = flags & 1 != 0 ? Cursor.moment(bytes[19..<27]) : nil
        to = flags & 2 != 0 ? Cursor.moment(bytes[27..<35]) : nil
        last = Self.wide(bytes[35..<51])
        self.owner = owner
        guard self.text == text else { return nil }
    }

    /// The opaque text.
    var text: String {
        var bytes: [UInt8] = [Self.format, list.rawValue]
        bytes.reserveCapacity(Self.shortest + owner.utf8.count)
        bytes.append((from == nil ? 0 : 1) | (to == nil ? 0 : 2) | (oldestFirst ? 4 : 0))
        Self.append(wallet.uuid.bits, to: &bytes)
        Cursor.append(UInt64(bitPattern: from?.microseconds ?? 0), 8, to: &bytes)
        Cursor.append(UInt64(bitPattern: to?.microseconds ?? 0), 8, to: &bytes)
        Self.append(last, to: &bytes)
        bytes.append(contentsOf: owner.utf8)
        Cursor.append(Cursor.checkSum(bytes[...]), 4, to: &bytes)
        return Base64URL.encode(bytes)
    }

    private static func wide(_ bytes: ArraySlice<UInt8>) -> UInt128 {
        bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    private static func append(_ value: UInt128, to bytes: inout [UInt8]) {
        Cursor.append(UInt64(truncatingIfNeeded: value >> 64), 8, to: &bytes)
        Cursor.append(UInt64(truncatingIfNeeded: value), 8, to: &bytes)
    }
}

/// What a page of a list is asked for.
struct PageRequest: Sendable {
    /// The list with its filter, and the place where the page begins.
    let list: PageCursor
    /// Whether the page is one behind another.
    let isContinued: Bool
    let limit: Int

    /// Reads cursor and limit. `start` is the list as the other parameters say it; with a cursor these must be left out
    /// or say the same. `isFiltered` is whether any was sent.
    init(
        _ query: QueryParameters, _ start: PageCursor, isFiltered: Bool, errors: inout [FieldError]
    ) throws(Problem) {
        limit = query.limit(&errors)
        guard errors.isEmpty, let text = query["cursor"] else {
            (list, isContinued) = (start, false)
            return
        }
        guard let cursor = PageCursor(text: text), cursor.list == start.list, cursor.wallet == start.wallet else {
            throw Problem(.invalidCursor, "The cursor is not one of this list.")
        }
        guard !isFiltered || cursor.at(0) == start else {
            throw Problem(.invalidCursor, "The cursor belongs to a list with other filters.")
        }
        (list, isContinued) = (cursor, true)
    }
}
