import JSON

/// The settings of a stream that this program relies on. The rest (sealing, limits, retention, file storage, one
/// stored message per publish) is not up for choice.
public struct StreamConfiguration: Sendable, Equatable {
    /// The stream's name.
    public var name: String
    /// What it stores, for instance `wallet.events.>`.
    public var subjects: [String]
    /// Copies in the cluster: 1, 3 or 5.
    public var replicas = 1
    /// The greatest size on disk in bytes; -1 for none. A full stream refuses new messages and keeps the old ones.
    public var maxBytes: Int64 = 8 << 30
    /// Messages older than this are removed.
    public var maxAge: Duration = .seconds(72 * 3600)
    /// How long message ids are remembered. Longer than an outage plus its retries, at most `maxAge`.
    public var duplicateWindow: Duration = .seconds(600)

    /// Names a stream and its subjects; the other settings have their defaults.
    public init(name: String, subjects: [String]) {
        self.name = name
        self.subjects = subjects
    }

    /// The wanted members of JetStream's configuration object.
    var wanted: [JSONValue.Member] {
        [
            .init("name", .string(name)),
            .init("subjects", .array(subjects.map { .string($0) })),
            .init("retention", .string("limits")),
            .init("storage", .string("file")),
            .init("num_replicas", .number(String(replicas))),
            .init("discard", .string("new")),
            .init("max_age", .number(String(maxAge.nanosecondsForJetStream))),
            .init("max_bytes", .number(String(maxBytes))),
            .init("duplicate_window", .number(String(duplicateWindow.nanosecondsForJetStream))),
            .init("deny_delete", .boolean(true)),
            // With `discard: new` a limit per subject would still drop old messages silently.
            .init("max_msgs_per_subject", .number("-1")),
            .init("no_ack", .boolean(false)),
            .init("sealed", .boolean(false)),
        ]
    }

    /// Members that no update can change.
    static let fixed: Set<String> = ["name", "retention", "storage", "sealed"]
}

/// The settings of a durable pull consumer that this program relies on: explicit acks, everything from the
/// beginning.
public struct ConsumerConfiguration: Sendable, Equatable {
    /// The durable's name.
    public var name: String
    /// How long a delivered message may stay without an ack before it is delivered again.
    public var ackWait: Duration = .seconds(30)
    /// How many messages may be delivered and unacknowledged, over all workers.
    public var maxAckPending = 20_000
    /// How often a message is delivered; -1 without limit.
    public var maxDeliver = -1
    /// Only messages of this subject are delivered; nil for all of the stream.
    public var filterSubject: String?

    /// Names a consumer; the other settings have their defaults.
    public init(name: String) { self.name = name }

    var wanted: [JSONValue.Member] {
        [
            .init("durable_name", .string(name)),
            .init("deliver_policy", .string("all")),
            .init("ack_policy", .string("explicit")),
            .init("replay_policy", .string("instant")),
            .init("ack_wait", .number(String(ackWait.nanosecondsForJetStream))),
            .init("max_ack_pending", .number(String(maxAckPending))),
            .init("max_deliver", .number(String(maxDeliver))),
        ] + (filterSubject.map { [.init("filter_subject", .string($0))] } ?? [])
    }

    static let fixed: Set<String> = ["durable_name", "deliver_policy", "ack_policy", "replay_policy"]

    /// Members that make it another kind of consumer when they are there at all.
    var forbidden: [String] {
        ["deliver_subject", "filter_subjects"] + (filterSubject == nil ? ["filter_subject"] : [])
    }
}

/// Compares wanted settings with the ones there are.
enum SettingsComparison {
    /// The wanted members that differ. A member the server leaves out has its zero value.
    static func differences(_ wanted: [JSONValue.Member], from actual: JSONValue) -> [JSONValue.Member] {
        wanted.filter { member in
            guard let value = actual[member.name] else { return !isZero(member.value) }
            return value != member.value
        }
    }

    /// The existing settings with the wanted ones in place of theirs; what this program does not know stays.
    static func merged(_ wanted: [JSONValue.Member], into actual: JSONValue) -> JSONValue {
        let names = Set(wanted.map(\.name))
        let kept = (actual.members ?? []).filter { !names.contains($0.name) }
        return .object(kept + wanted)
    }

    static func describe(_ members: [JSONValue.Member], actual: JSONValue) -> String {
        members.map { member in
            let found = actual[member.name].map { String(decoding: $0.compactBytes, as: UTF8.self) } ?? "nothing"
            return "\(member.name) is \(found), wanted \(String(decoding: member.value.compactBytes, as: UTF8.self))"
        }.joined(separator: "; ")
    }

    private static func isZero(_ value: JSONValue) -> Bool {
        switch value {
        case .boolean(false), .number("0"), .null: true
        case .number("-1"): true
        default: false
        }
    }
}

extension Duration {
    /// Nanoseconds, JetStream's unit.
    fileprivate var nanosecondsForJetStream: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
