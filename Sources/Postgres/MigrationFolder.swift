internal import Digest
internal import Glibc

/// Why migrations cannot be read or applied.
public enum MigrationError: Error, Hashable, CustomStringConvertible {
    /// A file or folder cannot be read.
    case unreadable(String)
    /// A name does not follow `NNN_name.sql`, or two files share a version.
    case badName(String)
    /// The integrity file and the folder do not agree.
    case integrity(String)
    /// What was applied is not what the folder holds.
    case history(String)
    /// Migrations are waiting.
    case pending(schema: String, count: Int)
    /// Another runner held the lock all the time.
    case locked(schema: String)
    /// A file failed; nothing of it was kept.
    case failed(file: String, reason: String)

    /// The reason, and what to do about it.
    public var description: String {
        switch self {
        case .unreadable(let path): "\(path) cannot be read"
        case .badName(let name): "\(name) is no usable name of a migration"
        case .integrity(let reason): "the migrations have been tampered with: \(reason)"
        case .history(let reason): "the history of the database does not fit the migrations: \(reason)"
        case .pending(let schema, let count):
            "the schema \(schema) is behind by \(count): run `wallet migrate up`"
        case .locked(let schema): "another process is migrating the schema \(schema)"
        case .failed(let file, let reason): "\(file) failed and was rolled back: \(reason)"
        }
    }
}

/// One step of a schema.
public struct Migration: Sendable, Hashable {
    /// The number that orders the steps.
    public let version: Int64
    /// The file's name.
    public let file: String
    /// SHA-256 of the file in hexadecimal digits.
    public let checksum: String
    let sql: String
}

/// The steps of a schema as a folder holds them, checked against the folder's integrity file.
public struct MigrationFolder: Sendable {
    /// The name of the integrity file: a line for each migration, as `sha256sum` writes and checks them.
    public static let integrityFile = "checksums.sha256"

    /// The schema whose `schema_migrations` table keeps the history.
    public let schema: String
    /// The steps by version.
    public let migrations: [Migration]

    /// Reads a folder.
    ///
    /// - Throws: `MigrationError` unless the integrity file lists exactly the files that are there, unchanged.
    public init(path: String, schema: String) throws(MigrationError) {
        self.schema = schema
        migrations = try Self.read(path)
        let expected = try Self.parse(integrity: Self.text(path + "/" + Self.integrityFile))
        for migration in migrations {
            guard let checksum = expected[migration.file] else {
                throw .integrity("\(migration.file) is not listed in \(Self.integrityFile)")
            }
            guard checksum == migration.checksum else { throw .integrity("\(migration.file) was changed") }
        }
        let present = Set(migrations.map(\.file))
        if let missing = expected.keys.filter({ !present.contains($0) }).min() {
            throw .integrity("\(missing) is missing")
        }
    }

    /// The steps themselves, for tests of the history.
    init(schema: String, migrations: [Migration]) {
        self.schema = schema
        self.migrations = migrations
    }

    /// What the integrity file of a folder has to say; the same as `sha256sum *.sql`.
    public static func integrityText(ofFolder path: String) throws(MigrationError) -> String {
        try read(path).map { "\($0.checksum)  \($0.file)\n" }.joined()
    }

    private static func read(_ path: String) throws(MigrationError) -> [Migration] {
        var migrations: [Migration] = []
        for file in try entries(path) where file.hasSuffix(".sql") {
            let parts = file.dropLast(4).split(separator: "_", maxSplits: 1)
            guard parts.count == 2, parts[0].count >= 4, parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let version = Int64(parts[0]), version > 0, parts[1].utf8.allSatisfy(isNameByte)
            else { throw .badName(file) }
            let content = try bytes(path + "/" + file)
            guard let sql = String(validating: content, as: UTF8.self), !content.contains(0) else {
                throw .unreadable(file)
            }
            let checksum = hexadecimal(Digest.sha256(content))
            migrations.append(Migration(version: version, file: file, checksum: checksum, sql: sql))
        }
        migrations.sort { ($0.version, $0.file) < ($1.version, $1.file) }
        for (left, right) in zip(migrations, migrations.dropFirst()) where left.version == right.version {
            throw .badName(right.file)
        }
        return migrations
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
    }

    private static func parse(integrity text: String) throws(MigrationError) -> [String: String] {
        var checksums: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: " ", omittingEmptySubsequences: true)
            guard parts.count == 2, parts[0].utf8.count == 64 else {
                throw .integrity("\(integrityFile) has a line that is none of sha256sum's")
            }
            let name = parts[1].hasPrefix("*") ? parts[1].dropFirst() : parts[1]
            guard checksums.updateValue(parts[0].lowercased(), forKey: String(name)) == nil else {
                throw .integrity("\(integrityFile) lists \(name) twice")
            }
        }
        return checksums
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func entries(_ path: String) throws(MigrationError) -> [String] {
        guard let folder = opendir(path) else { throw .unreadable(path) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) {
                    String(cString: $0)
                }
            }
            names.append(name)
        }
        return names.sorted()
    }

    private static func bytes(_ path: String) throws(MigrationError) -> [UInt8] {
        guard let file = fopen(path, "re") else { throw .unreadable(path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&block, 1, block.count, file), count > 0 { bytes += block[..<count] }
        guard ferror(file) == 0 else { throw .unreadable(path) }
        return bytes
    }

    private static func text(_ path: String) throws(MigrationError) -> String {
        String(decoding: try bytes(path), as: UTF8.self)
    }
}
