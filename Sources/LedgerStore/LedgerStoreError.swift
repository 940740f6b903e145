import Postgres

/// Why the store could not answer. None of these is a business refusal.
public enum LedgerStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The queue is full or the operation waited too long in it; nothing was recorded.
    case overloaded(retryAfterSeconds: Int)
    /// The database is away; nothing was recorded.
    case unavailable
    /// The connection was lost around the commit and what became of it could not be found out.
    case outcomeUnknown
    /// The database refused what the ledger decided, or holds what the ledger cannot read; nothing was recorded.
    case inconsistent(String)

    /// The error in words, for the log.
    public var description: String {
        switch self {
        case .overloaded(let seconds): "the write queue is full; retry after \(seconds) s"
        case .unavailable: "the database is away"
        case .outcomeUnknown: "the outcome of the commit is unknown"
        case .inconsistent(let message): "the ledger's data is inconsistent: \(message)"
        }
    }
}

extension LedgerStoreError {
    /// The error of a read. A read has no outcome to lose.
    public init(reading error: any Error) {
        switch error {
        case let error as LedgerStoreError:
            self = error
        case let error as PostgresError where error.kind == .overloaded:
            self = .overloaded(retryAfterSeconds: 1)
        case let error as PostgresError where error.isTransient || error.kind == .stopped:
            self = .unavailable
        default:
            self = .inconsistent("\(error)")
        }
    }
}
