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
    private var open: [Chunk]
    private var framed: [UInt8] = []
    private var total = 0

    /// Events go to `partitions` partitions (1 to 65,535), at most `eventsPerMessage` (1 to 500) in a message. With
    /// `tellsBalances` each event that changed settled money is followed by one of type `BalanceChange.type`.
    public init(partitions: Int, eventsPerMessage: Int, tellsBalances: Bool = false) {
        self.tellsBalances = tellsBalances
        self.eventsPerMessage = max(1, min(eventsPerMessage, 500))
        open = Array(repeating: Chunk(), count: max(1, min(partitions, 65_535)))
    }

    /// How many events were collected.
    public var eventCount: Int { total }

    /// Adds an event.
    public mutating func append(_ event: WalletEvent) {
        append(of: event.wallet.id) { $0.event(event) }
        guard tellsBalances, let change = BalanceChange(event) else { return }
        append(of: event.wallet.id) { $0.event(change) }
    }

    private mutating func append(of wallet: WalletID, _ write: (inout JSONWriter) -> Void) {
        let partition = Int(wallet.placement % UInt64(open.count))
        if open[partition].count == 0 { open[partition].writer.beginArray() }
        write(&open[partition].writer)
        open[partition].count += 1
        total += 1
        if open[partition].count == eventsPerMessage || open[partition].writer.byteCount >= EventMessages.closingSize {
            close(partition)
        }
    }

    /// The framing of everything collected; the collector is empty afterwards.
    public mutating func takeFramed() -> [UInt8] {
        for partition in open.indices where open[partition].count > 0 { close(partition) }
        let result = framed
        framed.removeAll(keepingCapacity: true)
        total = 0
        return result
    }

    private mutating func close(_ partition: Int) {
        open[partition].writer.endArray()
        let payload = open[partition].writer.bytes
        frame(UInt32(partition), bytes: 2)
        frame(UInt32(open[partition].count), bytes: 2)
        frame(UInt32(payload.count), bytes: 4)
        framed.append(contentsOf: payload)
        open[partition].writer.removeAll()
        open[partition].count = 0
    }

    private mutating func frame(_ value: UInt32, bytes: Int) {
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
