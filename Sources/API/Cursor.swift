import Ledger

/// Which transfers of a wallet a list shows; `from` is included, `to` is not.
struct TransferFilter: Equatable, Sendable {
    var status: TransferStatus?
    var direction: Direction?
    var from: Timestamp?
    var to: Timestamp?

    var isEmpty: Bool { self == TransferFilter() }
}

/// The place where the next page of a list of transfers begins, with the list it belongs to.
///
/// The text is base64url over a format byte, the wallet, the filter, the position and a check sum. The check sum is
/// against accidents only: everything in a cursor could be asked for openly.
struct Cursor: Equatable, Sendable {
    let wallet: WalletID
    let filter: TransferFilter
    /// The `created_version` of the last item seen.
    let before: Int64

    private static let format: UInt8 = 1
    private static let length = 1 + 16 + 3 + 8 + 8 + 8 + 4

    init(wallet: WalletID, filter: TransferFilter, before: Int64) {
        self.wallet = wallet
        self.filter = filter
        self.before = before
    }

    /// Reads a cursor's text; nil for anything that `text` did not make.
    init?(text: String) {
        guard let bytes = Base64URL.decode(text.utf8), bytes.count == Cursor.length, bytes[0] == Cursor.format,
            Cursor.checkSum(bytes.dropLast(4)) == Cursor.number(bytes.suffix(4))
        else { return nil }
        wallet = WalletID(
            RawUUID(bits: UInt128(Cursor.number(bytes[1..<9])) << 64 | UInt128(Cursor.number(bytes[9..<17]))))
        let flags = bytes[17]
        guard flags & ~3 == 0, let status = Cursor.choice(bytes[18], TransferStatus.init(rawValue:)),
            let direction = Cursor.choice(bytes[19], Direction.init(rawValue:))
        else { return nil }
        filter = TransferFilter(
            status: status, direction: direction,
            from: flags & 1 != 0 ? Cursor.moment(bytes[20..<28]) : nil,
            to: flags & 2 != 0 ? Cursor.moment(bytes[28..<36]) : nil)
        before = Int64(bitPattern: Cursor.number(bytes[36..<44]))
        guard before > 0, self.text == text else { return nil }
    }

    /// The opaque text.
    var text: String {
        var bytes: [UInt8] = [Cursor.format]
        bytes.reserveCapacity(Cursor.length)
        Cursor.append(UInt64(truncatingIfNeeded: wallet.uuid.bits >> 64), 8, to: &bytes)
        Cursor.append(UInt64(truncatingIfNeeded: wallet.uuid.bits), 8, to: &bytes)
        bytes.append((filter.from == nil ? 0 : 1) | (filter.to == nil ? 0 : 2))
        bytes.append(UInt8(truncatingIfNeeded: filter.status?.rawValue ?? 0))
        bytes.append(UInt8(truncatingIfNeeded: filter.direction?.rawValue ?? 0))
        Cursor.append(UInt64(bitPattern: filter.from?.microseconds ?? 0), 8, to: &bytes)
        Cursor.append(UInt64(bitPattern: filter.to?.microseconds ?? 0), 8, to: &bytes)
        Cursor.append(UInt64(bitPattern: before), 8, to: &bytes)
        Cursor.append(Cursor.checkSum(bytes[...]), 4, to: &bytes)
        return Base64URL.encode(bytes)
    }

    /// Nil for a byte that stands for nothing; `.some(nil)` for zero, which stands for "not asked".
    private static func choice<Value>(_ byte: UInt8, _ make: (Int16) -> Value?) -> Value?? {
        if byte == 0 { return .some(nil) }
        return make(Int16(byte)).map { .some($0) }
    }

    /// A moment out of eight bytes.
    static func moment(_ bytes: ArraySlice<UInt8>) -> Timestamp {
        Timestamp(microseconds: Int64(bitPattern: number(bytes)))
    }

    /// A number out of at most eight bytes, the highest first.
    static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Appends the lowest `count` bytes of a number, the highest first.
    static func append(_ value: UInt64, _ count: Int, to bytes: inout [UInt8]) {
        for index in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }

    /// FNV-1a, 32 bits.
    static func checkSum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt32 = 2_166_136_261
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return UInt64(hash)
    }
}

/// Base64 with the alphabet for URLs and without padding (RFC 4648, section 5).
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count)) & 63])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count)) & 63]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes; nil when a character has no place in the alphabet.
    static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
        return bytes
    }
}
