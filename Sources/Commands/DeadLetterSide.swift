import Foundation
import JSON
import Ledger
import LedgerStore
import Postgres
import Projections
import Provisioning
import Runtime

/// Where dead letters are kept: one side for each consumer of events.
enum DeadLetterSide: String, CaseIterable, Sendable {
    case projection, provisioning

    /// Rows read and worked on at once.
    private static let pageSize = 500

    private var table: DeadLetterTable {
        switch self {
        case .projection: .projection
        case .provisioning: .provisioning
        }
    }

    /// The letter's id for people.
    func name(_ letter: StoredDeadLetter) -> String { "\(rawValue)-\(letter.id)" }

    /// The next letters behind `id`, oldest first; none when there are no more.
    func page(after id: Int64, _ context: ProcessContext) async throws -> [StoredDeadLetter] {
        try await connected(context) { try table.letters(after: id, limit: Self.pageSize, on: $0) }
    }

    /// One letter; nil when there is none.
    func letter(_ id: Int64, _ context: ProcessContext) async throws -> StoredDeadLetter? {
        try await connected(context) { try table.letter(id, on: $0) }
    }

    /// Removes letters; returns those that were there.
    func remove(_ ids: [Int64], _ context: ProcessContext) async throws -> Set<Int64> {
        guard !ids.isEmpty else { return [] }
        return try await connected(context) { connection in
            Set(try ids.filter { try table.remove($0, on: connection) })
        }
    }

    /// Uses the events again as the worker does. Returns for each why that failed; nil when it succeeded.
    func apply(
        _ letters: [StoredDeadLetter], _ users: UserProvisioning, _ context: ProcessContext
    ) async throws -> [String?] {
        switch self {
        case .projection:
            return try await connected(context) { connection in
                let retry = try DeadLetterRetry(connection: connection)
                return try letters.map { try retry.apply($0.payload) }
            }
        case .provisioning:
            var flaws: [String?] = []
            for letter in letters { flaws.append(await users.apply(letter.payload)) }
            return flaws
        }
    }

    private func connected<Value: Sendable>(
        _ context: ProcessContext, _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        let database = self == .projection ? context.projection : context.ledger
        return try await runOnOwnThread("deadletters") {
            let connection = PostgresConnection(configuration: database)
            try connection.connect()
            defer { connection.close() }
            return try body(connection)
        }
    }
}

/// Dead letters as text.
struct DeadLetterListing {
    private let asJSON: Bool
    private var count = 0

    /// For people, or one JSON object a line.
    init(asJSON: Bool) { self.asJSON = asJSON }

    /// The lines of some letters.
    mutating func text(of letters: [StoredDeadLetter], _ side: DeadLetterSide) -> String {
        defer { count += letters.count }
        if asJSON { return letters.map { Self.json($0, side) + "\n" }.joined() }
        var rows = letters.map { letter in
            [
                side.name(letter), letter.receivedAt.text, letter.stream, "\(letter.sequence)", "\(letter.index)",
                "\(letter.attempts)", Self.line(letter.reason),
            ]
        }
        guard !rows.isEmpty else { return "" }
        if count == 0 { rows.insert(["ID", "RECEIVED", "STREAM", "SEQUENCE", "INDEX", "ATTEMPTS", "REASON"], at: 0) }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }
            return cells.dropLast().joined(separator: "  ") + "  \(row[row.count - 1])\n"
        }.joined()
    }

    /// The last line for people.
    var end: String {
        guard !asJSON else { return "" }
        return count == 0 ? "there are no dead letters\n" : "\(count) dead letter\(count == 1 ? "" : "s")\n"
    }

    private static func line(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }

    private static func json(_ letter: StoredDeadLetter, _ side: DeadLetterSide) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("id", side.name(letter))
        writer.member("received_at", letter.receivedAt.text)
        writer.member("stream", letter.stream)
        writer.member("stream_sequence", letter.sequence)
        writer.member("subject", letter.subject)
        writer.member("event_index", letter.index)
        writer.member("attempts", letter.attempts)
        writer.member("reason", letter.reason)
        if let text = String(validating: letter.payload, as: UTF8.self) {
            writer.member("payload", text)
        } else {
            writer.member("payload_base64", Data(letter.payload).base64EncodedString())
        }
        writer.endObject()
        return String(decoding: writer.finish(), as: UTF8.self)
    }
}
