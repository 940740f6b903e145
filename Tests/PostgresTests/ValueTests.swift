import Postgres
import TestSupport
import Testing

/// Every type, there and back, against the server's own idea of the value.
@Suite struct ValueTests {
    static let numerics: [Int128] = [
        0, 1, -1, 9, 10, 9_999, 10_000, 10_001, -10_000, 99_999_999, 100_000_000, 1_000_000_000_000,
        Int128(Int64.max), Int128(Int64.min), Int128(UInt64.max), Int128(UInt64.max) + 1, -Int128(UInt64.max) - 1,
        10_000_000_000_000_000, 9_999_999_999_999_999, 100_000_000_000_000_000_000_000_000_000_000,
        99_999_999_999_999_999_999_999_999_999_999_999_999, -99_999_999_999_999_999_999_999_999_999_999_999_999,
        .max, .min, .min + 1,
    ]

    @Test func numericsAgreeWithTheServersText() throws {
        var random = TestRandom()
        let connection = try TestDatabase().connect()
        try connection.prepare("there", "SELECT n, n::text, n::text::numeric FROM unnest($1::numeric[]) AS n")
        try connection.prepare("scalar", "SELECT $1::numeric, $1::numeric::text")
        let values = Self.numerics + (0..<3000).map { _ in random.nextInt128() }
        let array = PostgresArray(of: .numeric)
        for value in values { array.append(numeric: value) }
        let parameters = PostgresParameters()
        parameters.append(array)
        let result = try connection.query("there", parameters)
        #expect(result.rowCount == values.count)
        for (row, value) in values.enumerated() {
            #expect(try result.int128(row, 0) == value)
            #expect(try result.text(row, 1) == String(value))
            #expect(try result.int128(row, 2) == value)
        }
        for value in Self.numerics {
            parameters.removeAll()
            parameters.append(numeric: value)
            let one = try connection.query("scalar", parameters)
            #expect(try one.int128(0, 0) == value)
            #expect(try one.text(0, 1) == String(value))
        }
    }

    @Test func numericsThatAreNoWholeNumbersAreErrors() throws {
        let connection = try TestDatabase().connect()
        let result = try connection.query(
            sql: """
                SELECT 1.5::numeric AS half, 1.00::numeric AS scaled, 'NaN'::numeric AS nan,
                    'Infinity'::numeric AS endless, 170141183460469231731687303715884105728::numeric AS big,
                    1e60::numeric(61,0) AS huge, -170141183460469231731687303715884105729::numeric AS small
                """)
        for column in 0..<result.columnCount {
            let error = #expect(throws: PostgresError.self) { try result.int128(0, column) }
            #expect(error?.kind == .decoding)
            #expect(error?.column == result.name(ofColumn: column))
        }
        // Trailing zeros are not sent by the server: the digits end before the units.
        let round = try connection.query(sql: "SELECT 120000000000000000::numeric, 5e37::numeric(38,0)")
        #expect(try round.int128(0, 0) == 120_000_000_000_000_000)
        #expect(try round.int128(0, 1) == 50_000_000_000_000_000_000_000_000_000_000_000_000)
    }

    @Test func scalarsThereAndBack() throws {
        let connection = try TestDatabase().connect()
        try connection.prepare(
            "all",
            """
            SELECT $1::uuid, $1::uuid::text, $2::bool, $3::int2, $4::int4, $5::int8, $6::text, $7::bytea,
                $7::bytea::text, $8::timestamptz, $8::timestamptz::text, $9::jsonb, $10::text
            """)
        let parameters = PostgresParameters()
        parameters.append(uuid: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)
        parameters.append(bool: true)
        parameters.append(int2: .min)
        parameters.append(int4: .min)
        parameters.append(int8: .min)
        parameters.append(text: "grün \u{1F4B0}")
        parameters.append(bytes: [0, 255, 1])
        parameters.append(timestamp: 1_700_000_000_123_456)
        parameters.append(jsonb: Array(#"{"a": 1}"#.utf8))
        parameters.append(text: Array("bytes".utf8))
        let row = try connection.query("all", parameters)[0]
        #expect(try row.uuid(0) == 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)
        #expect(try row.text(1) == "01234567-89ab-cdef-0123-456789abcdef")
        #expect(try row.bool(2))
        #expect(try row.int16(3) == .min)
        #expect(try row.int32(4) == .min)
        #expect(try row.int64(5) == .min)
        #expect(try row.text(6) == "grün \u{1F4B0}")
        #expect(try row.bytes(7) == [0, 255, 1])
        #expect(try row.text(8) == "\\x00ff01")
        #expect(try row.timestamp(9) == 1_700_000_000_123_456)
        #expect(try row.text(10) == "2023-11-14 22:13:20.123456+00")
        #expect(try row.text(11) == #"{"a": 1}"#)
        #expect(try row.bytes(12) == Array("bytes".utf8))
    }

    @Test func everyTypeHasItsNull() throws {
        let connection = try TestDatabase().connect()
        try connection.prepare(
            "nulls",
            """
            SELECT $1::uuid, $2::bool, $3::int2, $4::int4, $5::int8, $6::text, $7::bytea, $8::timestamptz,
                $9::numeric, $10::jsonb
            """)
        let parameters = PostgresParameters()
        parameters.append(uuid: nil)
        parameters.append(bool: nil)
        parameters.append(int2: nil)
        parameters.append(int4: nil)
        parameters.append(int8: nil)
        parameters.append(text: nil as String?)
        parameters.append(bytes: nil)
        parameters.append(timestamp: nil)
        parameters.append(numeric: nil)
        parameters.append(jsonb: nil)
        let row = try connection.query("nulls", parameters)[0]
        for column in 0..<10 { #expect(row.isNull(column)) }
        #expect(try row.optionalUUID(0) == nil)
        #expect(try row.optionalBool(1) == nil)
        #expect(try row.optionalInt16(2) == nil)
        #expect(try row.optionalInt32(3) == nil)
        #expect(try row.optionalInt64(4) == nil)
        #expect(try row.optionalText(5) == nil)
        #expect(try row.optionalBytes(6) == nil)
        #expect(try row.optionalTimestamp(7) == nil)
        #expect(try row.optionalInt128(8) == nil)
        let error = #expect(throws: PostgresError.self) { try row.uuid(0) }
        #expect(error?.message.contains("NULL") == true)
        #expect(throws: PostgresError.self) { try row.int128(8) }
    }

    @Test func arraysOfEveryTypeWithNullsAndNone() throws {
        let connection = try TestDatabase().connect()
        let arrays: [(PostgresType, (PostgresArray) -> Void, String)] = [
            (.uuid, { $0.append(uuid: 1) }, "{00000000-0000-0000-0000-000000000001,NULL}"),
            (.bool, { $0.append(bool: false) }, "{f,NULL}"),
            (.int2, { $0.append(int2: -2) }, "{-2,NULL}"),
            (.int4, { $0.append(int4: .max) }, "{2147483647,NULL}"),
            (.int8, { $0.append(int8: .max) }, "{9223372036854775807,NULL}"),
            (.text, { $0.append(text: "a,\"b\"") }, #"{"a,\"b\"",NULL}"#),
            (.bytes, { $0.append(bytes: [222, 173]) }, #"{"\\xdead",NULL}"#),
            (.timestamp, { $0.append(timestamp: 0) }, #"{"1970-01-01 00:00:00+00",NULL}"#),
            (.numeric, { $0.append(numeric: -123_456_789_012_345_678_901) }, "{-123456789012345678901,NULL}"),
            (.jsonb, { $0.append(jsonb: Array("[1]".utf8)) }, "{[1],NULL}"),
        ]
        let parameters = PostgresParameters()
        for (type, fill, text) in arrays {
            try connection.prepare("a\(type)", "SELECT $1::\(type)[]::text, cardinality($1::\(type)[])")
            let array = PostgresArray(of: type)
            parameters.removeAll()
            parameters.append(array)
            #expect(try connection.query("a\(type)", parameters).int(0, 1) == 0)
            // Used again: what was there before must not show.
            for _ in 0..<2 {
                array.removeAll()
                fill(array)
                array.appendNull()
                parameters.removeAll()
                parameters.append(array)
                let row = try connection.query("a\(type)", parameters)[0]
                #expect(try row.text(0) == text)
                #expect(try row.int(1) == 2)
            }
        }
    }

    @Test func momentsAtTheEndsOfTime() throws {
        let connection = try TestDatabase().connect()
        try connection.prepare("moment", "SELECT $1::timestamptz, extract(epoch FROM $1::timestamptz)::text")
        let parameters = PostgresParameters()
        // From 4714 BC, where PostgreSQL begins, to where 64 bits end.
        for value: Int64 in [-210_866_803_200_000_000, -1, 0, 946_684_800_000_000, .max] {
            parameters.removeAll()
            parameters.append(timestamp: value)
            let row = try connection.query("moment", parameters)[0]
            #expect(try row.timestamp(0) == value)
        }
        for value: Int64 in [.min, .min + 1, -210_866_803_200_000_001] {
            parameters.removeAll()
            parameters.append(timestamp: value)
            let error = #expect(throws: PostgresError.self) { try connection.query("moment", parameters) }
            #expect(error?.sqlState?.rawValue == "22008", "\(value)")
        }
        let endless = try connection.query(
            sql: "SELECT 'infinity'::timestamptz, '-infinity'::timestamptz, '294276-12-31 UTC'::timestamptz")
        #expect(throws: PostgresError.self) { try endless.timestamp(0, 0) }
        #expect(throws: PostgresError.self) { try endless.timestamp(0, 1) }
        #expect(throws: PostgresError.self) { try endless.timestamp(0, 2) }
    }

    @Test func wrongTypesAreNamedErrors() throws {
        let connection = try TestDatabase().connect()
        let result = try connection.query(sql: "SELECT 1::int8 AS amount, 'x'::text AS label, '\\x00'::bytea AS raw")
        let error = #expect(throws: PostgresError.self) { try result.uuid(0, 0) }
        #expect(error?.message == "column amount is bigint, not uuid")
        #expect(throws: PostgresError.self) { try result.int64(0, 1) }
        #expect(throws: PostgresError.self) { try result.text(0, 2) }
        #expect(throws: PostgresError.self) { try result.timestamp(0, 0) }
        #expect(throws: PostgresError.self) { try result.bool(0, 0) }
        #expect(throws: PostgresError.self) { try result.int32(0, 1) }
        #expect(try result.column(named: "raw") == 2)
        #expect(throws: PostgresError.self) { try result.column(named: "none") }
        let wide = try connection.query(sql: "SELECT 2147483648::int8, 40000::int4, 7::int2")
        #expect(throws: PostgresError.self) { try wide.int32(0, 0) }
        #expect(throws: PostgresError.self) { try wide.int16(0, 1) }
        #expect(try wide.int64(0, 2) == 7)
        #expect(try wide.int128(0, 0) == 2_147_483_648)
    }

    @Test func parametersOfTheWrongTypeOrNumberAreNotSent() throws {
        let connection = try TestDatabase().connect()
        try connection.prepare("typed", "SELECT $1::int8, $2::varchar")
        let parameters = PostgresParameters()
        parameters.append(timestamp: 5)
        parameters.append(text: "x")
        let error = #expect(throws: PostgresError.self) { try connection.query("typed", parameters) }
        #expect(error?.kind == .misuse)
        #expect(error?.message == "parameter $1 is bigint, not timestamptz")
        parameters.removeAll()
        parameters.append(int8: 5)
        #expect(throws: PostgresError.self) { try connection.query("typed", parameters) }
        parameters.append(text: "x")
        #expect(try connection.query("typed", parameters).text(0, 1) == "x")
        #expect(throws: PostgresError.self) { try connection.query("unknown", parameters) }
    }
}
