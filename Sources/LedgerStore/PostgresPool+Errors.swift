public import Postgres

extension PostgresPool {
    /// Runs `body` on a connection, with errors in the words of the store: `LedgerStoreError`.
    public func perform<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        do {
            return try await withConnection(body)
        } catch {
            throw LedgerStoreError(reading: error)
        }
    }
}
