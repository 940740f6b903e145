import Events
public import Postgres

/// Applies events again that were put aside, as a projector does.
public struct DeadLetterRetry {
    private let writer: ProjectionWriter

    /// Applies through `connection`, which belongs to the calling thread.
    public init(connection: PostgresConnection) throws {
        writer = try ProjectionWriter(connection: connection)
    }

    /// Applies the event of a dead letter. Returns why that is not possible; nil when it is applied.
    /// Throws when the database cannot be used at all.
    public func apply(_ payload: [UInt8]) throws -> String? {
        var events: [WalletEvent] = []
        // What was put aside is one event, or a message that could not be divided.
        let isMessage = payload.first { $0 > UInt8(ascii: " ") } == UInt8(ascii: "[")
        let message = isMessage ? payload : [UInt8(ascii: "[")] + payload + [UInt8(ascii: "]")]
        for element in EventReading.elements(of: message) {
            switch element {
            case .event(let event): events.append(event)
            case .skipped: continue
            case .flawed(let flaw, _): return flaw.description
            }
        }
        do {
            try writer.apply(events)
            return nil
        } catch let error as PostgresError where ProjectorStore.isPoison(error) {
            writer.connection.rollback()
            return "the database refuses it: \(error)"
        }
    }
}
