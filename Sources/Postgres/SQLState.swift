/// The five-character code that PostgreSQL attaches to every error.
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The code as PostgreSQL writes it, such as `23505`.
    public let rawValue: String

    /// Wraps a code as it came from the server.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The code itself.
    public var description: String { rawValue }

    /// The first two characters: the class of the error.
    public var classCode: Substring { rawValue.prefix(2) }

    /// 23505: a unique index refused a row.
    public static let uniqueViolation = SQLState(rawValue: "23505")
    /// 23503: a foreign key refused a row.
    public static let foreignKeyViolation = SQLState(rawValue: "23503")
    /// 23514: a check constraint refused a row.
    public static let checkViolation = SQLState(rawValue: "23514")
    /// 23502: a column that must have a value got none.
    public static let notNullViolation = SQLState(rawValue: "23502")
    /// 42501: the role may not do this.
    public static let insufficientPrivilege = SQLState(rawValue: "42501")
    /// 40001: the transaction has to be repeated.
    public static let serializationFailure = SQLState(rawValue: "40001")
    /// 40P01: the transaction was chosen to end a deadlock.
    public static let deadlockDetected = SQLState(rawValue: "40P01")
    /// 55P03: a lock was not granted in time.
    public static let lockNotAvailable = SQLState(rawValue: "55P03")
    /// 57014: the statement was cancelled, as a rule by `statement_timeout`.
    public static let queryCanceled = SQLState(rawValue: "57014")
    /// 57P01: the server is shutting down or an operator ended the session.
    public static let adminShutdown = SQLState(rawValue: "57P01")
    /// 57P03: the server does not take connections yet.
    public static let cannotConnectNow = SQLState(rawValue: "57P03")
    /// 0A000: the server cannot do this; a standby says so to a transaction that wants to write.
    public static let featureNotSupported = SQLState(rawValue: "0A000")
    /// 25006: the server has become a read-only standby.
    public static let readOnlyTransaction = SQLState(rawValue: "25006")
    /// 25P02: an earlier statement of the same transaction failed.
    public static let inFailedTransaction = SQLState(rawValue: "25P02")
    /// 25P03: the session sat too long inside an open transaction.
    public static let idleInTransactionTimeout = SQLState(rawValue: "25P03")
    /// 42P01: there is no such table.
    public static let undefinedTable = SQLState(rawValue: "42P01")
    /// 3D000: there is no such database.
    public static let invalidCatalogName = SQLState(rawValue: "3D000")

    /// Whether the same statement may succeed later without being changed.
    var isTransient: Bool {
        switch self {
        case .serializationFailure, .deadlockDetected, .lockNotAvailable, .queryCanceled, .readOnlyTransaction,
            .idleInTransactionTimeout:
            true
        default:
            classCode == "08" || classCode == "53" || rawValue.hasPrefix("57P")
        }
    }
}
