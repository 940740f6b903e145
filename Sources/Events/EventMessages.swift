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

    private struct Chunk {
        var writer = JSONWriter(capacity: 4096)
        var count = 0
    }

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
        var open = [Chunk?](repeating: nil, count: partitions)
        var framed: [UInt8] = []
        framed.reserveCapacity(eventCount * 1024)
        for (event, change) in collected {
            let partition = Int(event.wallet.id.placement % UInt64(partitions))
            var chunk = open[partition].take() ?? Chunk()
            write(to: &chunk, partition, into: &framed) { $0.event(event) }
            if let change { write(to: &chunk, partition, into: &framed) { $0.event(change) } }
            open[partition] = consume chunk
        }
        for partition in open.indices {
            guard var chunk = open[partition].take(), chunk.count > 0 else { continue }
            Self.close(&chunk, partition, into: &framed)
        }
        collected.removeAll(keepingCapacity: true)
        balanceChanges = 0
        return framed
    }

    private func write(
        to chunk: inout Chunk, _ partition: Int, into framed: inout [UInt8], _ event: (inout JSONWriter) -> Void
    ) {
        if chunk.count == 0 { chunk.writer.beginArray() }
        event(&chunk.writer)
        chunk.count += 1
        if chunk.count == eventsPerMessage || chunk.writer.byteCount >= EventMessages.closingSize {
            Self.close(&chunk, partition, into: &framed)
        }
    }

    private static func close(_ chunk: inout Chunk, _ partition: Int, into framed: inout [UInt8]) {
        chunk.writer.endArray()
        append(UInt32(partition), bytes: 2, to: &framed)
        append(UInt32(chunk.count), bytes: 2, to: &framed)
        append(UInt32(chunk.writer.byteCount), bytes: 4, to: &framed)
        framed.append(contentsOf: chunk.writer.bytes)
        chunk.writer.removeAll()
        chunk.count = 0
    }

    private static func append(_ value: UInt32, bytes: Int, to framed: inout [UInt8]) {
        for index in (0..<bytes).reversed() { framed.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * index))) }
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
