/// A one-dimensional array parameter, built element by element in the form it travels in.
///
/// Meant to be kept and used again: `removeAll()` keeps the memory. The method must fit the element type the array was
/// made with; another one stops the program, as a wrong index would.
public final class PostgresArray {
    /// The type of the elements.
    public let element: PostgresType
    // No method calls out while it changes these, so the checks for overlapping access find nothing; they would take
    // two thirds of the time of an element.
    /// The number of elements.
    @exclusivity(unchecked) public private(set) var count = 0
    @exclusivity(unchecked) private var buffer = WireBuffer(capacity: 1024)
    private static let headLength = 20

    /// An empty array of `element`.
    public init(of element: PostgresType) {
        self.element = element
        writeHead()
    }

    private func writeHead() {
        buffer.append(Int32(1))
        buffer.append(Int32(0))
        buffer.append(element.rawValue)
        buffer.append(Int32(0))
        buffer.append(Int32(1))
    }

    /// Empties the array and keeps its memory.
    public func removeAll() {
        count = 0
        buffer.removeAll()
        writeHead()
    }

    /// The finished binary form; valid until the array is changed.
    @inline(__always)
    func finished() -> UnsafeRawBufferPointer {
        buffer.overwrite(Int32(truncatingIfNeeded: count), at: 12)
        return UnsafeRawBufferPointer(start: buffer.base, count: buffer.count)
    }

    var oid: UInt32 { element.arrayOID }

    @inline(__always)
    private func begin(_ type: PostgresType, length: Int) {
        precondition(type == element, "an array of \(element) does not take a value of \(type)")
        count &+= 1
        buffer.append(Int32(truncatingIfNeeded: length))
    }

    /// Appends NULL.
    public func appendNull() {
        count &+= 1
        buffer.append(Int32(-1))
        buffer.overwrite(1, at: 4)
    }

    /// Appends a `uuid` from its 128 bits, nil as NULL.
    @inline(__always)
    public func append(uuid value: UInt128?) {
        guard let value else { return appendNull() }
        begin(.uuid, length: 16)
        buffer.append(value)
    }

    /// Appends a `boolean`, nil as NULL.
    @inline(__always)
    public func append(bool value: Bool?) {
        guard let value else { return appendNull() }
        begin(.bool, length: 1)
        buffer.append(UInt8(value ? 1 : 0))
    }

    /// Appends a `smallint`, nil as NULL.
    @inline(__always)
    public func append(int2 value: Int16?) {
        guard let value else { return appendNull() }
        begin(.int2, length: 2)
        buffer.append(value)
    }

    /// Appends an `integer`, nil as NULL.
    @inline(__always)
    public func append(int4 value: Int32?) {
        guard let value else { return appendNull() }
        begin(.int4, length: 4)
        buffer.append(value)
    }

    /// Appends an `xid`.
    @inline(__always)
    public func append(xid value: UInt32) {
        begin(.xid, length: 4)
        buffer.append(Int32(bitPattern: value))
    }

    /// Appends a `bigint`, nil as NULL.
    @inline(__always)
    public func append(int8 value: Int64?) {
        guard let value else { return appendNull() }
        begin(.int8, length: 8)
        buffer.append(value)
    }

    /// Appends a `numeric` without decimal places, nil as NULL.
    @inline(__always)
    public func append(numeric value: Int128?) {
        guard let value else { return appendNull() }
        let start = buffer.count
        begin(.numeric, length: 0)
        NumericCoding.append(value, to: &buffer)
        buffer.overwrite(Int32(truncatingIfNeeded: buffer.count &- start &- 4), at: start)
    }

    /// Appends a `timestamptz` from microseconds since 1970, nil as NULL.
    @inline(__always)
    public func append(timestamp microseconds: Int64?) {
        guard let microseconds else { return appendNull() }
        begin(.timestamp, length: 8)
        buffer.append(PostgresEpoch.toServer(microseconds))
    }

    /// Appends a `text`, nil as NULL. The server refuses the character U+0000.
    @inline(__always)
    public func append(text value: String?) {
        guard var value else { return appendNull() }
        value.withUTF8 { append(.text, UnsafeRawBufferPointer($0)) }
    }

    /// Appends a `text` from its UTF-8, nil as NULL. The server refuses what is no UTF-8.
    @inline(__always)
    public func append(text utf8: [UInt8]?) {
        guard let utf8 else { return appendNull() }
        utf8.withUnsafeBytes { append(.text, $0) }
    }

    /// Appends a `bytea`, nil as NULL.
    @inline(__always)
    public func append(bytes value: [UInt8]?) {
        guard let value else { return appendNull() }
        value.withUnsafeBytes { append(.bytes, $0) }
    }

    /// Appends a `bytea` from memory that only has to last for the call.
    @inline(__always)
    public func append(bytes value: UnsafeRawBufferPointer) {
        append(.bytes, value)
    }

    /// Appends a `jsonb` from its text in UTF-8, nil as NULL.
    @inline(__always)
    public func append(jsonb utf8: [UInt8]?) {
        guard let utf8 else { return appendNull() }
        begin(.jsonb, length: utf8.count &+ 1)
        buffer.append(UInt8(1))
        utf8.withUnsafeBytes { buffer.append(bytes: $0) }
    }

    @inline(__always)
    private func append(_ type: PostgresType, _ bytes: UnsafeRawBufferPointer) {
        begin(type, length: bytes.count)
        buffer.append(bytes: bytes)
    }
}
