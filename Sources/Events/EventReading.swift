import JSON
import Ledger

/// Why bytes are no event.
public enum EventFlaw: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not the JSON that an event is written in.
    case malformed(String)
    /// A member is missing.
    case missing(String)
    /// A member's value makes no sense.
    case invalid(member: String, value: String)

    /// The flaw in words.
    public var description: String {
        switch self {
        case .malformed(let message): "not an event: \(message)"
        case .missing(let member): "the member \(member) is missing"
        case .invalid(let member, let value): "the member \(member) has the value \(value.prefix(80))"
        }
    }
}

/// Reads messages: JSON arrays of CloudEvents (the batch format).
public enum EventReading {
    /// The events of one message in order, each as an event or as its raw bytes with what is wrong with them.
    public enum Element: Hashable, Sendable {
        /// A readable event.
        case event(WalletEvent)
        /// An event of a type that tells projections nothing, or that newer programs brought: to be passed over.
        case skipped(type: String)
        /// Anything else.
        case flawed(EventFlaw, payload: [UInt8])
    }

    /// Reads a message. A message that is no JSON array gives one flawed element with the whole payload.
    public static func elements(of message: [UInt8]) -> [Element] {
        if let events = try? events(of: message) { return events }
        var elements: [Element] = []
        do throws(JSONError) {
            var reader = JSONReader(message, maxDepth: 48)
            try reader.beginArray()
            while try reader.nextElement() {
                elements.append(element(try reader.readRawBytes()))
            }
            try reader.finish()
        } catch {
            return [.flawed(.malformed(error.message), payload: message)]
        }
        return elements
    }

    private static func events(of message: [UInt8]) throws -> [Element] {
        var reader = JSONReader(message, maxDepth: 48)
        var events: [Element] = []
        try reader.beginArray()
        while try reader.nextElement() {
            events.append(try EventFields(from: &reader).element(in: reader))
        }
        try reader.finish()
        return events
    }

    private static func element(_ payload: [UInt8]) -> Element {
        do {
            var reader = JSONReader(payload, maxDepth: 48)
            return try EventFields(from: &reader).element(in: reader)
        } catch let flaw as EventFlaw {
            return .flawed(flaw, payload: payload)
        } catch let error as JSONError {
            return .flawed(.malformed(error.message), payload: payload)
        } catch {
            return .flawed(.malformed("\(error)"), payload: payload)
        }
    }
}
