extension PostgresResult {
    /// A `smallint`, `integer` or `bigint`, nil for NULL.
    @inline(__always)
    public func optionalInt64(_ row: Int, _ column: Int) throws(PostgresError) -> Int64? {
        if isNull(row, column) { return nil }
        switch oid(column) {
        case PostgresType.int8.rawValue: return integer(row, column, as: Int64.self)
        case PostgresType.int4.rawValue: return Int64(integer(row, column, as: Int32.self))
        case PostgresType.int2.rawValue: return Int64(integer(row, column, as: Int16.self))
        default: throw mismatch(column, wanted: "bigint")
        }
    }

    /// A `smallint`, `integer` or `bigint`.
    @inline(__always)
    public func int64(_ row: Int, _ column: Int) throws(PostgresError) -> Int64 {
        guard let value = try optionalInt64(row, column) else { throw null(column) }
        return value
    }

    /// A `smallint`, `integer` or `bigint` that fits a native integer.
    @inline(__always)
    public func int(_ row: Int, _ column: Int) throws(PostgresError) -> Int { Int(try int64(row, column)) }

    /// A `smallint` or `integer`, nil for NULL.
    public func optionalInt32(_ row: Int, _ column: Int) throws(PostgresError) -> Int32? {
        guard let wide = try optionalInt64(row, column) else { return nil }
        guard let value = Int32(exactly: wide) else { throw problem(column, "exceeds an integer") }
        return value
    }

    /// A `smallint` or `integer`.
    public func int32(_ row: Int, _ column: Int) throws(PostgresError) -> Int32 {
        guard let value = try optionalInt32(row, column) else { throw null(column) }
        return value
    }

    /// A `smallint`, nil for NULL.
    public func optionalInt16(_ row: Int, _ column: Int) throws(PostgresError) -> Int16? {
        guard let wide = try optionalInt64(row, column) else { return nil }
        guard let value = Int16(exactly: wide) else { throw problem(column, "exceeds a smallint") }
        return value
    }

    /// A `smallint`.
    public func int16(_ row: Int, _ column: Int) throws(PostgresError) -> Int16 {
        guard let value = try optionalInt16(row, column) else { throw null(column) }
        return value
    }

    /// An `xid`.
    public func xid(_ row: Int, _ column: Int) throws(PostgresError) -> UInt32 {
        if isNull(row, column) { throw null(column) }
        guard oid(column) == PostgresType.xid.rawValue else { throw mismatch(column, wanted: "xid") }
        return integer(row, column, as: UInt32.self)
    }

    /// A `numeric` without decimal places, or any integer; nil for NULL.
    @inline(__always)
    public func optionalInt128(_ row: Int, _ column: Int) throws(PostgresError) -> Int128? {
        if isNull(row, column) { return nil }
        guard oid(column) == PostgresType.numeric.rawValue else { return Int128(try int64(row, column)) }
        switch NumericCoding.decode(raw(row, column)) {
        case .success(let value): return value
        case .failure(let problem): throw self.problem(column, "cannot be read: \(problem.rawValue)")
        }
    }

    /// A `numeric` without decimal places, or any integer.
    @inline(__always)
    public func int128(_ row: Int, _ column: Int) throws(PostgresError) -> Int128 {
        guard let value = try optionalInt128(row, column) else { throw null(column) }
        return value
    }

    /// The 128 bits of a `uuid`, nil for NULL.
    @inline(__always)
    public func optionalUUID(_ row: Int, _ column: Int) throws(PostgresError) -> UInt128? {
        if isNull(row, column) { return nil }
        guard oid(column) == PostgresType.uuid.rawValue else { throw mismatch(column, wanted: "uuid") }
        return integer(row, column, as: UInt128.self)
    }

    /// The 128 bits of a `uuid`.
    @inline(__always)
    public func uuid(_ row: Int, _ column: Int) throws(PostgresError) -> UInt128 {
        guard let value = try optionalUUID(row, column) else { throw null(column) }
        return value
    }

    /// A `timestamptz` in microseconds since 1970, nil for NULL. The infinities are errors.
    @inline(__always)
    public func optionalTimestamp(_ row: Int, _ column: Int) throws(PostgresError) -> Int64? {
        if isNull(row, column) { return nil }
        guard oid(column) == PostgresType.timestamp.rawValue else { throw mismatch(column, wanted: "timestamptz") }
        guard let value = PostgresEpoch.fromServer(integer(row, column, as: Int64.self)) else {
            throw problem(column, "is infinite or beyond 64 bits of microseconds")
        }
        return value
    }

    /// A `timestamptz` in microseconds since 1970. The infinities are errors.
    @inline(__always)
    public func timestamp(_ row: Int, _ column: Int) throws(PostgresError) -> Int64 {
        guard let value = try optionalTimestamp(row, column) else { throw null(column) }
        return value
    }

    /// A `boolean`, nil for NULL.
    @inline(__always)
    public func optionalBool(_ row: Int, _ column: Int) throws(PostgresError) -> Bool? {
        if isNull(row, column) { return nil }
        guard oid(column) == PostgresType.bool.rawValue else { throw mismatch(column, wanted: "boolean") }
        return integer(row, column, as: UInt8.self) != 0
    }

    /// A `boolean`.
    @inline(__always)
    public func bool(_ row: Int, _ column: Int) throws(PostgresError) -> Bool {
        guard let value = try optionalBool(row, column) else { throw null(column) }
        return value
    }

    /// The bytes of a `bytea`, the UTF-8 of a character type, `json` or `jsonb`; nil for NULL.
    public func optionalBytes(_ row: Int, _ column: Int) throws(PostgresError) -> [UInt8]? {
        try content(row, column).map { Array($0) }
    }

    /// The bytes of a `bytea`, the UTF-8 of a character type, `json` or `jsonb`.
    public func bytes(_ row: Int, _ column: Int) throws(PostgresError) -> [UInt8] {
        guard let value = try content(row, column) else { throw null(column) }
        return Array(value)
    }

    /// Lends the bytes of a `bytea`, a character type, `json` or `jsonb` without copying them; nil for NULL.
    public func withBytes<T>(_ row: Int, _ column: Int, _ body: (UnsafeRawBufferPointer?) throws -> T) throws -> T {
        try body(try content(row, column))
    }

    /// The text of a character type, `json` or `jsonb`; nil for NULL.
    public func optionalText(_ row: Int, _ column: Int) throws(PostgresError) -> String? {
        if oid(column) == PostgresType.bytes.rawValue { throw mismatch(column, wanted: "text") }
        return try content(row, column).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The text of a character type, `json` or `jsonb`.
    public func text(_ row: Int, _ column: Int) throws(PostgresError) -> String {
        guard let value = try optionalText(row, column) else { throw null(column) }
        return value
    }

    private func content(_ row: Int, _ column: Int) throws(PostgresError) -> UnsafeRawBufferPointer? {
        if isNull(row, column) { return nil }
        let type = oid(column)
        if type == PostgresType.bytes.rawValue || PostgresType.isText(type) { return raw(row, column) }
        guard type == PostgresType.jsonb.rawValue else { throw mismatch(column, wanted: "text or bytea") }
        let all = raw(row, column)
        guard all.first == 1 else { throw problem(column, "is jsonb of an unknown version") }
        return UnsafeRawBufferPointer(rebasing: all.dropFirst())
    }
}

extension PostgresRow {
    /// Whether a value is NULL.
    public func isNull(_ column: Int) -> Bool { result.isNull(index, column) }
    /// A `smallint`, `integer` or `bigint`.
    public func int(_ column: Int) throws(PostgresError) -> Int { try result.int(index, column) }
    /// A `smallint`, `integer` or `bigint`.
    public func int64(_ column: Int) throws(PostgresError) -> Int64 { try result.int64(index, column) }
    /// A `smallint`, `integer` or `bigint`, nil for NULL.
    public func optionalInt64(_ column: Int) throws(PostgresError) -> Int64? { try result.optionalInt64(index, column) }
    /// A `smallint` or `integer`.
    public func int32(_ column: Int) throws(PostgresError) -> Int32 { try result.int32(index, column) }
    /// A `smallint` or `integer`, nil for NULL.
    public func optionalInt32(_ column: Int) throws(PostgresError) -> Int32? { try result.optionalInt32(index, column) }
    /// A `smallint`.
    public func int16(_ column: Int) throws(PostgresError) -> Int16 { try result.int16(index, column) }
    /// A `smallint`, nil for NULL.
    public func optionalInt16(_ column: Int) throws(PostgresError) -> Int16? { try result.optionalInt16(index, column) }
    /// A `numeric` without decimal places, or any integer.
    public func int128(_ column: Int) throws(PostgresError) -> Int128 { try result.int128(index, column) }
    /// A `numeric` without decimal places, or any integer; nil for NULL.
    public func optionalInt128(_ column: Int) throws(PostgresError) -> Int128? {
        try result.optionalInt128(index, column)
    }
    /// The 128 bits of a `uuid`.
    public func uuid(_ column: Int) throws(PostgresError) -> UInt128 { try result.uuid(index, column) }
    /// The 128 bits of a `uuid`, nil for NULL.
    public func optionalUUID(_ column: Int) throws(PostgresError) -> UInt128? { try result.optionalUUID(index, column) }
    /// A `timestamptz` in microseconds since 1970.
    public func timestamp(_ column: Int) throws(PostgresError) -> Int64 { try result.timestamp(index, column) }
    /// A `timestamptz` in microseconds since 1970, nil for NULL.
    public func optionalTimestamp(_ column: Int) throws(PostgresError) -> Int64? {
        try result.optionalTimestamp(index, column)
    }
    /// A `boolean`.
    public func bool(_ column: Int) throws(PostgresError) -> Bool { try result.bool(index, column) }
    /// A `boolean`, nil for NULL.
    public func optionalBool(_ column: Int) throws(PostgresError) -> Bool? { try result.optionalBool(index, column) }
    /// The bytes of a `bytea`, the UTF-8 of a character type, `json` or `jsonb`.
    public func bytes(_ column: Int) throws(PostgresError) -> [UInt8] { try result.bytes(index, column) }
    /// The bytes of a `bytea`, the UTF-8 of a character type, `json` or `jsonb`; nil for NULL.
    public func optionalBytes(_ column: Int) throws(PostgresError) -> [UInt8]? {
        try result.optionalBytes(index, column)
    }
    /// The text of a character type, `json` or `jsonb`.
    public func text(_ column: Int) throws(PostgresError) -> String { try result.text(index, column) }
    /// The text of a character type, `json` or `jsonb`; nil for NULL.
    public func optionalText(_ column: Int) throws(PostgresError) -> String? { try result.optionalText(index, column) }
}
