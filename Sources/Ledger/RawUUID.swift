/// A UUID as its 128 bits, without Foundation. Text is the lower-case form of RFC 9562.
public struct RawUUID: Hashable, Comparable, Sendable, CustomStringConvertible {
    // Two halves and not one 128-bit number: Swift 6.3 builds crashing code (without optimisation) for asynchronous
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
        guard let bits = text.withUTF8({ RawUUID.parse($0) }) else { return nil }
        self.init(bits: bits)
    }

    /// Reads the 36 character form from UTF-8 bytes; nil for anything else.
    public init?(utf8 bytes: some Collection<UInt8>) {
        let parsed = bytes.withContiguousStorageIfAvailable { RawUUID.parse($0) } ?? RawUUID.parse(Array(bytes)[...])
        guard let parsed else { return nil }
        self.init(bits: parsed)
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

    /// Orders by the bits, as PostgreSQL orders its uuid type.
    @inlinable
    public static func < (left: RawUUID, right: RawUUID) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }

    private func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        var position = 0
        for index in 0..<16 {
            if index == 4 || index == 6 || index == 8 || index == 10 {
                buffer[position] = 0x2D
                position += 1
            }
            let half = index < 8 ? high : low
            let byte = UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * (index & 7)))
            buffer[position] = RawUUID.digit(byte >> 4)
            buffer[position + 1] = RawUUID.digit(byte & 15)
            position += 2
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x57 + value
    }

    private static func parse(_ bytes: some RandomAccessCollection<UInt8>) -> UInt128? {
        guard bytes.count == 36 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        var position = 0
        for byte in bytes {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == 0x2D else { return nil }
            } else {
                let value: UInt8
                switch byte {
                case 0x30...0x39: value = byte - 0x30
                case 0x61...0x66: value = byte - 0x57
                case 0x41...0x46: value = byte - 0x37
                default: return nil
                }
                if position < 18 { high = high << 4 | UInt64(value) } else { low = low << 4 | UInt64(value) }
            }
            position += 1
        }
        return UInt128(high) << 64 | UInt128(low)
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

    /// Orders by the bits.
    @inlinable
    public static func < (left: TransferID, right: TransferID) -> Bool {
        left.uuid < right.uuid
    }
}
