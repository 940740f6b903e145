/// A UUID as its 128 bits, without Foundation. Text is the lower-case form of RFC 9562.
public struct RawUUID: Hashable, Comparable, Sendable, CustomStringConvertible {
    // Two halves and not one 128-bit number: Swift 6.3 builds crashing code, also with optimisation, for asynchronous
    // functions whose 128-bit arguments do not all fit into registers, and ids are such arguments everywhere.
    @usableFromInline let high: UInt64
    @usableFromInline let low: UInt64

    /// The 128 bits, most significant first.
    @inlinable
    public var bits: UInt128 { UInt128(high) << 64 | UInt128(low) }

    /// Wraps the bits as they are.
    @inlinable
    public init(bits: UInt128) {
        high = UInt64(truncatingIfNeeded: bits >> 64)
        low = UInt64(truncatingIfNeeded: bits)
    }

    /// The next UUID in order, the first one for nil: where a walk goes on. Nil behind the last one.
    public static func following(_ last: RawUUID?) -> RawUUID? {
        guard let last else { return RawUUID(bits: 0) }
        return last.bits == .max ? nil : RawUUID(bits: last.bits + 1)
    }

    /// Reads the 36 character form (either case); nil for anything else.
    public init?(text: String) {
        var text = text
        guard let uuid = text.withUTF8({ RawUUID(utf8: $0) }) else { return nil }
        self = uuid
    }

    /// Reads the 36 character form from UTF-8 bytes; nil for anything else.
    @inlinable
    public init?(utf8 bytes: some Collection<UInt8>) {
        let uuid = bytes.withContiguousStorageIfAvailable { RawUUID(utf8: $0) }
        guard let uuid = uuid ?? Array(bytes).withUnsafeBufferPointer({ RawUUID(utf8: $0) }) else { return nil }
        self = uuid
    }

    /// Reads the 36 character form from UTF-8 bytes; nil for anything else.
    public init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count == 36, bytes[8] == 0x2D, bytes[13] == 0x2D, bytes[18] == 0x2D, bytes[23] == 0x2D else {
            return nil
        }
        let raw = UnsafeRawBufferPointer(bytes)
        func word(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        func half(_ offset: Int) -> UInt64 {
            UInt64(UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        }
        guard let first = Hexadecimal.value(word(0)), let second = Hexadecimal.value(half(9) << 32 | half(14)),
            let third = Hexadecimal.value(half(19) << 32 | half(24)), let fourth = Hexadecimal.value(word(28))
        else { return nil }
        high = UInt64(first) << 32 | UInt64(second)
        low = UInt64(third) << 32 | UInt64(fourth)
    }

    /// The lower-case 36 character form.
    public var text: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            write(to: buffer)
            return 36
        }
    }

    /// The same as `text`.
    public var description: String { text }

    /// Appends the lower-case 36 character form as ASCII.
    public func append(to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 36) { buffer in
            write(to: buffer)
            bytes.append(contentsOf: UnsafeBufferPointer(buffer))
        }
    }

    // Written out to be inlined into other modules: ids are compared and hashed for every step of every operation.

    /// Whether the bits are equal.
    @inlinable
    public static func == (left: RawUUID, right: RawUUID) -> Bool {
        left.low == right.low && left.high == right.high
    }

    /// Hashes the bits.
    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
    }

    /// Orders by the bits, as PostgreSQL orders its uuid type.
    @inlinable
    public static func < (left: RawUUID, right: RawUUID) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }

    /// Writes the lower-case 36 character form as ASCII to the start of `buffer`, which has room for it.
    public func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        precondition(buffer.count >= 36, "a UUID has 36 characters")
        let raw = UnsafeMutableRawBufferPointer(buffer)
        let second = Hexadecimal.digits(UInt32(truncatingIfNeeded: high))
        let third = Hexadecimal.digits(UInt32(truncatingIfNeeded: low >> 32))
        func store(_ half: UInt64, at offset: Int) {
            raw.storeBytes(of: UInt32(truncatingIfNeeded: half).bigEndian, toByteOffset: offset, as: UInt32.self)
        }
        raw.storeBytes(of: Hexadecimal.digits(UInt32(truncatingIfNeeded: high >> 32)).bigEndian, as: UInt64.self)
        store(second >> 32, at: 9)
        store(second, at: 14)
        store(third >> 32, at: 19)
        store(third, at: 24)
        let fourth = Hexadecimal.digits(UInt32(truncatingIfNeeded: low))
        raw.storeBytes(of: fourth.bigEndian, toByteOffset: 28, as: UInt64.self)
        buffer[8] = 0x2D
        buffer[13] = 0x2D
        buffer[18] = 0x2D
        buffer[23] = 0x2D
    }
}

/// Eight hexadecimal digits at once, one in each byte of a word, the first one in the most significant byte.
private enum Hexadecimal {
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// The lower-case digits of `value`.
    static func digits(_ value: UInt32) -> UInt64 {
        var spread = UInt64(value)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F
        return characters(spread)
    }

    /// The value of eight digits in either case; nil when one is no digit.
    static func value(_ text: UInt64) -> UInt32? {
        // Letters have the bit 0x40; their low four bits count from 1.
        let letters = text >> 6 & ones
        var value = (text & (ones * 0x0F)) &+ letters * 9
        guard value & (ones * 0xF0) == 0, characters(value) == text | letters << 5 else { return nil }
        value = (value | value >> 4) & 0x00FF_00FF_00FF_00FF
        value = (value | value >> 8) & 0x0000_FFFF_0000_FFFF
        return UInt32(truncatingIfNeeded: value | value >> 16)
    }

    /// The characters for values from 0 to 15 in each byte.
    private static func characters(_ values: UInt64) -> UInt64 {
        let letters = (values &+ ones * 6) >> 4 & ones
        return values &+ ones * 0x30 &+ letters * 0x27
    }
}

/// Names a wallet.
public struct WalletID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The UUID behind the name.
    public let uuid: RawUUID

    /// Wraps a UUID.
    @inlinable
    public init(_ uuid: RawUUID) {
        self.uuid = uuid
    }

    /// Reads the 36 character form; nil for anything else.
    public init?(text: String) {
        guard let uuid = RawUUID(text: text) else { return nil }
        self.uuid = uuid
    }

    /// The lower-case 36 character form.
    public var text: String { uuid.text }

    /// The same as `text`.
    public var description: String { uuid.text }

    /// Whether they name the same.
    @inlinable
    public static func == (left: WalletID, right: WalletID) -> Bool { left.uuid == right.uuid }

    /// Hashes the UUID.
    @inlinable
    public func hash(into hasher: inout Hasher) { uuid.hash(into: &hasher) }

    /// Orders by the bits: the order in which wallet rows are locked.
    @inlinable
    public static func < (left: WalletID, right: WalletID) -> Bool {
        left.uuid < right.uuid
    }

    /// A well mixed number that never changes for an id: chooses lanes and event partitions.
    public var placement: UInt64 {
        var mixed = uuid.high ^ uuid.low
        mixed = (mixed ^ (mixed >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        mixed = (mixed ^ (mixed >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return mixed ^ (mixed >> 33)
    }
}

/// Names a transfer; unique within its wallet.
public struct TransferID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The UUID behind the name.
    public let uuid: RawUUID

    /// Wraps a UUID.
    @inlinable
    public init(_ uuid: RawUUID) {
        self.uuid = uuid
    }

    /// Reads the 36 character form; nil for anything else.
    public init?(text: String) {
        guard let uuid = RawUUID(text: text) else { return nil }
        self.uuid = uuid
    }

    /// The lower-case 36 character form.
    public var text: String { uuid.text }

    /// The same as `text`.
    public var description: String { uuid.text }

    /// Whether they name the same.
    @inlinable
    public static func == (left: TransferID, right: TransferID) -> Bool { left.uuid == right.uuid }

    /// Hashes the UUID.
    @inlinable
    public func hash(into hasher: inout Hasher) { uuid.hash(into: &hasher) }

    /// Orders by the bits.
    @inlinable
    public static func < (left: TransferID, right: TransferID) -> Bool {
        left.uuid < right.uuid
    }
}
