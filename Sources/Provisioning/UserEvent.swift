public import Events
import JSON
import Observability

/// Why bytes do not tell of a user.
public enum UserEventFlaw: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not the JSON that an event is written in.
    case malformed(String)
    /// A member is missing.
    case missing(String)
    /// A member's value cannot be used; the text says why.
    case invalid(member: String, String)

    /// The flaw in words.
    public var description: String {
        switch self {
        case .malformed(let message): "not a CloudEvent in JSON: \(message)"
        case .missing(let what): "\(what) is missing"
        case .invalid(let member, let reason): "the member \(member) \(reason)"
        }
    }
}

/// What an event tells: there is a user.
public struct UserEvent: Hashable, Sendable {
    /// The user's id: 1 to 255 characters without control characters, taken as it is written.
    public let userID: String
    /// What the events of the user's wallets say about where they come from.
    public let origin: EventOrigin
}

/// Reads messages of the user stream: one CloudEvent, or an array of them (the batch format), in JSON.
///
/// The events are somebody else's: members that are not needed here are not looked at. What kind of event it is, is
/// said by the subject it comes on.
public enum UserEventReading {
    /// One event of a message with its bytes, readable or with what is wrong with it.
    public struct Element: Sendable {
        /// The user, or why there is none.
        public let user: Result<UserEvent, UserEventFlaw>
        /// The event's bytes; all of the message where it cannot be divided.
        public let payload: [UInt8]
    }

    private static let depth = 48
    private static let idLimit = 255

    /// The events of a message in order; a message that is no JSON gives one flawed element.
    public static func elements(of message: [UInt8]) -> [Element] {
        var payloads: [[UInt8]] = []
        do throws(JSONError) {
            var reader = JSONReader(message, maxDepth: depth)
            if try reader.peekKind() == .array {
                try reader.beginArray()
                while try reader.nextElement() { payloads.append(try reader.readRawBytes()) }
            } else {
                payloads.append(try reader.readRawBytes())
            }
            try reader.finish()
        } catch {
            return [Element(user: .failure(.malformed(error.message)), payload: message)]
        }
        return payloads.map { payload in
            Element(user: Result { () throws(UserEventFlaw) in try user(payload) }, payload: payload)
        }
    }

    private static func user(_ payload: [UInt8]) throws(UserEventFlaw) -> UserEvent {
        let event: JSONValue
        do throws(JSONError) {
            event = try JSONValue(parsing: payload, maxDepth: depth)
        } catch {
            throw .malformed(error.message)
        }
        guard event.members != nil else { throw .malformed("an object is expected") }
        guard let version = event["specversion"] else { throw .missing("specversion") }
        guard version == .string("1.0") else { throw .invalid(member: "specversion", "is not \"1.0\"") }
        return UserEvent(userID: try userID(event), origin: origin(event))
    }

    /// The first of the places where the id may stand that holds anything.
    private static func userID(_ event: JSONValue) throws(UserEventFlaw) -> String {
        let places = [
            ("data.id", event["data"]?["id"]), ("data.user_id", event["data"]?["user_id"]),
            ("subject", event["subject"]),
        ]
        for (name, value) in places {
            guard let value, value != .null else { continue }
            guard let text = value.string else { throw .invalid(member: name, "is not a string") }
            let length = text.unicodeScalars.count
            guard (1...idLimit).contains(length) else {
                throw .invalid(member: name, "has \(length) characters, not 1 to \(idLimit)")
            }
            guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
                throw .invalid(member: name, "holds control characters")
            }
            return text
        }
        throw .missing("the user's id (data.id, data.user_id or subject)")
    }

    /// Nothing about it is worth refusing a user: what cannot be used is left out.
    private static func origin(_ event: JSONValue) -> EventOrigin {
        let correlation = (event["correlationid"]?.string ?? event["id"]?.string).flatMap { text in
            (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? text : nil
        }
        let trace = event["traceparent"]?.string.flatMap { TraceContext(traceparent: $0)?.child().traceparent }
        return EventOrigin(correlationID: correlation, traceParent: trace)
    }
}
