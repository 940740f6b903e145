public import Ledger
public import Postgres

/// Guards the scale of every asset: once an asset is known to a database, its scale may never change, because every
/// stored sum would change its meaning.
public enum AssetRegistry {
    /// A configured asset that the database knows with another scale, or a known one that is not configured.
    public struct Conflict: Error, Hashable, Sendable, CustomStringConvertible {
        /// One line for each conflict, with what to do about it.
        public let problems: [String]
        /// All lines.
        public var description: String { problems.joined(separator: "\n") }
    }

    /// Records the assets of `table` that the database does not know and compares the others.
    /// Throws `Conflict`, or `PostgresError` when the database fails.
    public static func reconcile(_ table: AssetTable, on connection: PostgresConnection) throws {
        let codes = PostgresArray(of: .text)
        let scales = PostgresArray(of: .int2)
        for asset in table.all {
            codes.append(text: asset.code)
            scales.append(int2: Int16(asset.scale))
        }
        let parameters = PostgresParameters()
        parameters.append(codes)
        parameters.append(scales)
        try connection.prepare(
            "record_assets",
            """
            INSERT INTO ledger.assets (code, scale) SELECT * FROM unnest($1::text[], $2::int2[])
            ON CONFLICT (code) DO NOTHING
            """)
        try connection.prepare("known_assets", "SELECT code, scale FROM ledger.assets ORDER BY code")
        _ = try connection.query("record_assets", parameters)
        let known = try connection.query("known_assets")
        var problems: [String] = []
        for row in 0..<known.rowCount {
            let code = try known.text(row, 0)
            let scale = try known.int(row, 1)
            guard let asset = table[code] else {
                problems.append("the asset \(code) is in use but unknown here: add \(code):\(scale) to WALLET_ASSETS")
                continue
            }
            if asset.scale != scale {
                problems.append(
                    "the asset \(code) has scale \(asset.scale) here and \(scale) in the database: "
                        + "set \(code):\(scale) in WALLET_ASSETS")
            }
        }
        if !problems.isEmpty { throw Conflict(problems: problems) }
    }
}
