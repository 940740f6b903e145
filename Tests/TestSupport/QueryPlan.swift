import Foundation
public import Postgres

/// How the server carried a statement out, as `EXPLAIN (ANALYZE)` tells it.
public struct QueryPlan: CustomStringConvertible {
    /// The tables that were read from end to end.
    public private(set) var sequentialScans: [String] = []
    /// Rows that scans of tables looked at, whether they were wanted or not.
    public private(set) var rowsRead = 0
    /// Rows in the largest sort.
    public private(set) var largestSort = 0
    /// The plan as the server writes it.
    public let description: String

    /// Prepares `sql` and carries it out with these arguments, written as SQL. Whatever it changes is taken back.
    /// Blocks.
    public init(of sql: String, _ arguments: String, on connection: PostgresConnection) throws {
        try connection.execute("BEGIN")
        defer { connection.rollback() }
        try connection.execute("PREPARE explained AS \(sql)")
        defer { try? connection.execute("DEALLOCATE explained") }
        let call = arguments.isEmpty ? "explained" : "explained(\(arguments))"
        let result = try connection.query(sql: "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE \(call)")
        description = try result.text(0, 0)
        let plans = try JSONSerialization.jsonObject(with: Data(description.utf8)) as? [[String: Any]] ?? []
        for plan in plans { take(plan["Plan"] as? [String: Any] ?? [:]) }
    }

    private mutating func take(_ node: [String: Any]) {
        func number(_ name: String) -> Double { (node[name] as? NSNumber)?.doubleValue ?? 0 }
        let loops = number("Actual Loops")
        let rows = Int((number("Actual Rows") * loops).rounded())
        switch node["Node Type"] as? String ?? "" {
        case "Seq Scan": sequentialScans.append(node["Relation Name"] as? String ?? "")
        case "Sort", "Incremental Sort":
            let input = (node["Plans"] as? [[String: Any]])?.first ?? [:]
            largestSort = max(largestSort, (input["Actual Rows"] as? NSNumber)?.intValue ?? 0)
        default: break
        }
        if node["Relation Name"] != nil || node["Node Type"] as? String == "Bitmap Index Scan" {
            let removed = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck")
            rowsRead += rows + Int((removed * loops).rounded())
        }
        for child in node["Plans"] as? [[String: Any]] ?? [] { take(child) }
    }
}
