import JSON
import Ledger

/// One message for the broker: events of one partition in the CloudEvents batch format.
public struct EventMessage: Hashable, Sendable {
    /// The partition, 0 and up.
    public let partition: UInt16
    /// How many events it holds.
    public let eventCount: Int
    /// The JSON array.
    public let payload: [UInt8]
}

/// Collects the events of one committed batch into messages by partition, and frames them for one outbox row.
///
/// The framing of a message: partition (2 bytes), number of events (2 bytes), length (4 bytes), payload; big-endian.
public struct EventMessages: Sendable {
    /// Why bytes are no framing.
    public struct FramingError: Error, Hashable, Sendable {}

    /// Past this size a message is closed: brokers refuse messages over 1 MiB by default.
    private static let closingSize = 256 * 1024

    private let eventsPerMessage: Int
    private let tellsBalances: Bool
    private let partitions: Int
    private var collected: [(event: WalletEvent, change: BalanceChange?)] = []
    private var balanceChanges = 0

    /// Events go to `partitions` partitions (1 to 65,535), at most `eventsPerMessage` (1 to 500) in a message. With
    /// `tellsBalances` each event that changed settled money is followed by one of type `BalanceChange.type`.
    public init(partitions: Int, eventsPerMessage: Int, tellsBalances: Bool = false) {
        self.tellsBalances = tellsBalances
        self.eventsPerMessage = max(1, min(eventsPerMessage, 500))
        self.partitions = max(1, min(partitions, 65_535))
    }

    /// How many events were collected.
    public var eventCount: Int { collected.count + balanceChanges }

    /// Adds an event. It is written only when all are taken: by then the database is busy with the batch's other rows.
    public mutating func append(_ event: WalletEvent) {
        let change = tellsBalances ? BalanceChange(event) : nil
        collected.append((event, change))
        if change != nil { balanceChanges += 1 }
    }

    /// The framing of everything collected; the collector is empty afterwards.
    public mutating func takeFramed() -> [UInt8] {
        var writer = JSONWriter(capacity: eventCount * 1024)
        if partitions == 1 {
            writeMessages(collected, of: 0, to: &writer)
        } else {
            var byPartition = [[(event: WalletEvent, change: BalanceChange?)]](repeating: [], count: partitions)
            for one in collected { byPartition[Int(one.event.wallet.id.placement % UInt64(partitions))].append(one) }
            for (partition, events) in byPartition.enumerated() { writeMessages(events, of: partition, to: &writer) }
        }
        collected.removeAll(keepingCapacity: true)
        balanceChanges = 0
        return writer.finish()
    }

    private func writeMessages(
        _ events: [(event: WalletEvent, change: BalanceChange?)], of partition: Int, to writer: inout JSONWriter
    ) {
        var message = OpenMessage(partition: partition)
        for (event, change) in events {
            message.add(to: &writer) { $0.event(event) }
            closeIfFull(&message, &writer)
            guard let change else { continue }
            message.add(to: &writer) { $0.event(change) }
            closeIfFull(&message, &writer)
        }
        message.close(&writer)
    }

    private func closeIfFull(_ message: inout OpenMessage, _ writer: inout JSONWriter) {
        if message.count == eventsPerMessage || message.size(writer) >= Self.closingSize { message.close(&writer) }
    }

    /// The messages in a framing. Throws when the bytes end in the middle of one.
    public static func messages(in framed: [UInt8]) throws(FramingError) -> [EventMessage] {
        var messages: [EventMessage] = []
        var position = 0
        func number(_ bytes: Int) -> Int {
            framed[position..<position + bytes].reduce(0) { $0 << 8 | Int($1) }
        }
        while position < framed.count {
            guard framed.count - position >= 8 else { throw FramingError() }
            let partition = number(2)
            position += 2
            let count = number(2)
            position += 2
            let length = number(4)
            position += 4
            guard framed.count - position >= length else { throw FramingError() }
            messages.append(
                EventMessage(
                    partition: UInt16(partition), eventCount: count,
                    payload: Array(framed[position..<position + length])))
            position += length
        }
        return messages
    }
}

/// A message while its events are written into a framing.
private struct OpenMessage {
    private static let headSize = 8

    let partition: Int
    /// How many events it has; none before the first one, when nothing of it is written yet.
    private(set) var count = 0
    private var start = 0

    init(partition: Int) { self.partition = partition }

    /// The size of its content so far, in bytes.
    func size(_ writer: JSONWriter) -> Int { writer.byteCount - start }

    mutating func add(to writer: inout JSONWriter, _ event: (inout JSONWriter) -> Void) {
        if count == 0 {
            writer.startDocument(after: Self.headSize)
            start = writer.byteCount
            writer.beginArray()
        }
        event(&writer)
        count += 1
    }

    mutating func close(_ writer: inout JSONWriter) {
        guard count > 0 else { return }
        writer.endArray()
        let head = UInt64(partition) << 48 | UInt64(count) << 32 | UInt64(size(writer))
        withUnsafeBytes(of: head.bigEndian) { writer.overwrite($0, at: start - Self.headSize) }
        count = 0
    }
}
