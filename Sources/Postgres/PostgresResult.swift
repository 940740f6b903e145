internal import CLibPQ

/// The rows that one statement answered with, in binary form.
///
/// Columns are numbered from 0. Every accessor throws a `PostgresError` of kind `.decoding`, which names the column,
/// when the value is of another type or, for those that do not return an optional, NULL. Belongs to the thread that
/// uses the connection.
public final class PostgresResult {
    private let handle: OpaquePointer
    /// The number of rows.
    public let rowCount: Int
    /// The number of columns.
    public let columnCount: Int

    init(_ handle: OpaquePointer) {
        self.handle = handle
        self.rowCount = Int(PQntuples(handle))
        self.columnCount = Int(PQnfields(handle))
    }

    deinit { PQclear(handle) }

    /// Whether there are no rows.
    public var isEmpty: Bool { rowCount == 0 }

    /// The rows an INSERT, UPDATE, DELETE or MERGE touched, or a SELECT returned; 0 for anything else.
    public var affectedRows: Int {
        guard let text = PQcmdTuples(handle) else { return 0 }
        return Int(String(cString: text)) ?? 0
    }

    /// The server's name for what it did, such as `UPDATE 3` or `ROLLBACK`.
    public var commandTag: String { PQcmdStatus(handle).map { String(cString: $0) } ?? "" }

    /// The rows in their order.
    public var rows: some RandomAccessCollection<PostgresRow> {
        (0..<rowCount).lazy.map { PostgresRow(result: self, index: $0) }
    }

    /// The row with a number from 0.
    public subscript(row: Int) -> PostgresRow { PostgresRow(result: self, index: row) }

    /// The name of a column.
    public func name(ofColumn column: Int) -> String {
        PQfname(handle, Int32(truncatingIfNeeded: column)).map { String(cString: $0) } ?? "column \(column)"
    }

    /// The number of the column with a name.
    public func column(named name: String) throws(PostgresError) -> Int {
        for column in 0..<columnCount where self.name(ofColumn: column) == name { return column }
        throw PostgresError(.decoding, .decode, "there is no column \(name)")
    }

    /// Whether a value is NULL.
    @inline(__always)
    public func isNull(_ row: Int, _ column: Int) -> Bool {
        precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount, "no such cell")
        return PQgetisnull(handle, Int32(truncatingIfNeeded: row), Int32(truncatingIfNeeded: column)) == 1
    }

    @inline(__always)
    func oid(_ column: Int) -> UInt32 { PQftype(handle, Int32(truncatingIfNeeded: column)) }

    /// The bytes of a value; they live as long as the result.
    @inline(__always)
    func raw(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
        let (row, column) = (Int32(truncatingIfNeeded: row), Int32(truncatingIfNeeded: column))
        return UnsafeRawBufferPointer(
            start: PQgetvalue(handle, row, column), count: Int(PQgetlength(handle, row, column)))
    }

    @inline(__always)
    func integer<T: FixedWidthInteger & BitwiseCopyable>(_ row: Int, _ column: Int, as type: T.Type) -> T {
        T(bigEndian: raw(row, column).loadUnaligned(as: T.self))
    }

    @inline(never)
    func mismatch(_ column: Int, wanted: String) -> PostgresError {
        problem(column, "is \(PostgresType.name(ofOID: oid(column))), not \(wanted)")
    }

    @inline(never)
    func null(_ column: Int) -> PostgresError { problem(column, "is NULL") }

    @inline(never)
    func problem(_ column: Int, _ text: String) -> PostgresError {
        let name = name(ofColumn: column)
        var error = PostgresError(.decoding, .decode, "column \(name) \(text)")
        error.column = name
        return error
    }
}

/// One row of a result; it keeps the result alive.
public struct PostgresRow {
    /// The result the row belongs to.
    public let result: PostgresResult
    /// The number of the row, from 0.
    public let index: Int
}
