/// The types that travel between this process and PostgreSQL, by the numbers the server knows them under.
public enum PostgresType: UInt32, Sendable, Hashable, CustomStringConvertible {
    /// `boolean`
    case bool = 16
    /// `bytea`
    case bytes = 17
    /// `bigint`
    case int8 = 20
    /// `smallint`
    case int2 = 21
    /// `integer`
    case int4 = 23
    /// `text`
    case text = 25
    /// `xid`, the 32 bits that name a row's transaction
    case xid = 28
    /// `timestamp with time zone`
    case timestamp = 1184
    /// `numeric` without decimal places
    case numeric = 1700
    /// `uuid`
    case uuid = 2950
    /// `jsonb`
    case jsonb = 3802

    /// The server's number for the one-dimensional array of this type.
    var arrayOID: UInt32 {
        switch self {
        case .bool: 1000
        case .bytes: 1001
        case .int8: 1016
        case .int2: 1005
        case .int4: 1007
        case .text: 1009
        case .xid: 1011
        case .timestamp: 1185
        case .numeric: 1231
        case .uuid: 2951
        case .jsonb: 3807
        }
    }

    /// The name SQL uses.
    public var description: String {
        switch self {
        case .bool: "boolean"
        case .bytes: "bytea"
        case .int8: "bigint"
        case .int2: "smallint"
        case .int4: "integer"
        case .text: "text"
        case .xid: "xid"
        case .timestamp: "timestamptz"
        case .numeric: "numeric"
        case .uuid: "uuid"
        case .jsonb: "jsonb"
        }
    }

    /// A name for any type the server may mention.
    static func name(ofOID oid: UInt32) -> String {
        PostgresType(rawValue: oid)?.description ?? "type \(oid)"
    }

    /// Whether a value sent as `sent` may be given to a parameter that the server declared as `declared`. The binary
    /// form of text is shared by all character types and json.
    static func accepts(declared: UInt32, sent: UInt32) -> Bool {
        if declared == sent { return true }
        switch sent {
        case PostgresType.text.rawValue: return textFamily.contains(declared)
        case PostgresType.text.arrayOID: return textArrayFamily.contains(declared)
        default: return false
        }
    }

    /// json, name, bpchar, varchar, unknown.
    private static let textFamily: [UInt32] = [114, 19, 1042, 1043, 705]
    private static let textArrayFamily: [UInt32] = [199, 1003, 1014, 1015]

    static func isText(_ oid: UInt32) -> Bool { oid == 25 || textFamily.contains(oid) }
}

/// The microseconds between 1970, where this project counts from, and 2000, where PostgreSQL does.
enum PostgresEpoch {
    private static let offset: Int64 = 946_684_800_000_000

    /// Values PostgreSQL cannot hold become one that it refuses: the extremes themselves would mean infinity.
    @inline(__always)
    static func toServer(_ microseconds: Int64) -> Int64 {
        let (shifted, overflow) = microseconds.subtractingReportingOverflow(offset)
        return overflow || shifted == .min ? .min + 1 : shifted
    }

    /// Nil for the infinities, and for years beyond what 64 bits can count from 1970.
    @inline(__always)
    static func fromServer(_ microseconds: Int64) -> Int64? {
        guard microseconds != .min else { return nil }
        let (shifted, overflow) = microseconds.addingReportingOverflow(offset)
        return overflow ? nil : shifted
    }
}
