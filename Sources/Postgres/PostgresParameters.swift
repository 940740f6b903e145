/// The parameters of a statement, built in the binary form they travel in.
///
/// Meant to be kept and used again: `removeAll()` keeps the memory. Arrays are referred to, not copied: they must not
/// change between `append` and the sending of the statement, and may be emptied right after it.
public final class PostgresParameters {
    private struct Slot {
        var oid: UInt32
        /// Into the buffer; -1 for NULL.
        var offset: Int
        var length: Int32
        /// Into `arrays`; -1 for everything that is no array.
        var array: Int
    }

    private var buffer = WireBuffer(capacity: 256)
    private var slots: [Slot] = []
    private var arrays: [PostgresArray] = []
    private(set) var values: [UnsafePointer<CChar>?] = []
    private(set) var lengths: [Int32] = []
    /// The size of all values; valid like they are.
    var byteCount: Int { lengths.reduce(0) { $0 + Int($1) } }
    private(set) var formats: [Int32] = []

    /// No parameters yet.
    public init() {}

    /// The number of parameters.
    public var count: Int { slots.count }

    /// Forgets the parameters and keeps the memory.
    public func removeAll() {
        buffer.removeAll()
        slots.removeAll(keepingCapacity: true)
        arrays.removeAll(keepingCapacity: true)
    }

    func oid(at index: Int) -> UInt32 { slots[index].oid }

    var oids: [UInt32] { slots.map(\.oid) }

    /// Fills `values`, `lengths` and `formats`; they stay valid until parameters or arrays are changed.
    @inline(__always)
    func resolve() {
        values.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        while formats.count < slots.count { formats.append(1) }
        for slot in slots {
            if slot.array >= 0 {
                let bytes = arrays[slot.array].finished()
                values.append(bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
                lengths.append(Int32(clamping: bytes.count))
            } else {
                values.append(
                    slot.offset < 0
                        ? nil : UnsafePointer((buffer.base + slot.offset).assumingMemoryBound(to: CChar.self)))
                lengths.append(slot.length)
            }
        }
    }

    @inline(__always)
    private func note(_ type: PostgresType, from offset: Int) {
        slots.append(
            Slot(oid: type.rawValue, offset: offset, length: Int32(clamping: buffer.count &- offset), array: -1))
    }

    /// Appends NULL of a type.
    public func append(nullOf type: PostgresType) {
        slots.append(Slot(oid: type.rawValue, offset: -1, length: 0, array: -1))
    }

    /// Appends a whole array.
    public func append(_ array: PostgresArray) {
        slots.append(Slot(oid: array.oid, offset: 0, length: 0, array: arrays.count))
        arrays.append(array)
    }

    @inline(__always)
    private func append<T: FixedWidthInteger & BitwiseCopyable>(_ type: PostgresType, _ value: T?) {
        guard let value else { return append(nullOf: type) }
        let offset = buffer.count
        buffer.append(value)
        note(type, from: offset)
    }

    @inline(__always)
    private func append(_ type: PostgresType, bytes: UnsafeRawBufferPointer) {
        let offset = buffer.count
        buffer.append(bytes: bytes)
        note(type, from: offset)
    }

    /// Appends a `uuid` from its 128 bits, nil as NULL.
    public func append(uuid value: UInt128?) { append(.uuid, value) }

    /// Appends a `boolean`, nil as NULL.
    public func append(bool value: Bool?) { append(.bool, value.map { UInt8($0 ? 1 : 0) }) }

    /// Appends a `smallint`, nil as NULL.
    public func append(int2 value: Int16?) { append(.int2, value) }

    /// Appends an `integer`, nil as NULL.
    public func append(int4 value: Int32?) { append(.int4, value) }

    /// Appends a `bigint`, nil as NULL.
    public func append(int8 value: Int64?) { append(.int8, value) }

    /// Appends a `timestamptz` from microseconds since 1970, nil as NULL.
    public func append(timestamp microseconds: Int64?) {
        append(.timestamp, microseconds.map(PostgresEpoch.toServer))
    }

    /// Appends a `numeric` without decimal places, nil as NULL.
    public func append(numeric value: Int128?) {
        guard let value else { return append(nullOf: .numeric) }
        let offset = buffer.count
        NumericCoding.append(value, to: &buffer)
        note(.numeric, from: offset)
    }

    /// Appends a `text`, nil as NULL. The server refuses the character U+0000.
    public func append(text value: String?) {
        guard var value else { return append(nullOf: .text) }
        value.withUTF8 { append(.text, bytes: UnsafeRawBufferPointer($0)) }
    }

    /// Appends a `text` from its UTF-8, nil as NULL. The server refuses what is no UTF-8.
    public func append(text utf8: [UInt8]?) {
        guard let utf8 else { return append(nullOf: .text) }
        utf8.withUnsafeBytes { append(.text, bytes: $0) }
    }

    /// Appends a `bytea`, nil as NULL.
    public func append(bytes value: [UInt8]?) {
        guard let value else { return append(nullOf: .bytes) }
        value.withUnsafeBytes { append(.bytes, bytes: $0) }
    }

    /// Appends a `jsonb` from its text in UTF-8, nil as NULL.
    public func append(jsonb utf8: [UInt8]?) {
        guard let utf8 else { return append(nullOf: .jsonb) }
        let offset = buffer.count
        buffer.append(UInt8(1))
        utf8.withUnsafeBytes { buffer.append(bytes: $0) }
        note(.jsonb, from: offset)
    }
}
