import Foundation
import Postgres
import TestSupport
import Testing

/// TLS keeps bytes back that the socket no longer shows: waiting must not overlook them.
@Suite struct EncryptionTests {
    private static let tool = "/usr/bin/openssl"

    private static func makeCertificate(in folder: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: tool)
        process.arguments = [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1",
            "-keyout", "\(folder)/key.pem", "-out", "\(folder)/cert.pem",
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        var rights: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
        if geteuid() == 0 { rights[.ownerAccountName] = "postgres" }
        try FileManager.default.setAttributes(rights, ofItemAtPath: "\(folder)/key.pem")
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: tool)))
    func bigAnswersArriveWhole() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wallet-tls-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Self.makeCertificate(in: folder)
        let server = try PostgresServer(
            durable: false,
            settings: ["ssl": "on", "ssl_cert_file": "\(folder)/cert.pem", "ssl_key_file": "\(folder)/key.pem"])
        defer { server.remove() }
        let connection = PostgresConnection(
            configuration: try PostgresConfiguration(url: server.url() + "?sslmode=require"))
        try connection.connect()
        let tls = try connection.query(sql: "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        #expect(try tls.bool(0, 0))
        try connection.prepare("echo", "SELECT $1::bytea")
        let parameters = PostgresParameters()
        for size in [1, 8_000, 16_384, 16_385, 100_000, 5_000_000] {
            let bytes = [UInt8](repeating: UInt8(size % 251), count: size)
            parameters.removeAll()
            parameters.append(bytes: bytes)
            #expect(try connection.query("echo", parameters).bytes(0, 0) == bytes)
            let total = try connection.pipeline { pipeline in
                for _ in 0..<5 { try pipeline.send("echo", parameters) }
                try pipeline.sync()
                return try (0..<5).reduce(0) { sum, _ in try sum + pipeline.next().bytes(0, 0).count }
            }
            #expect(total == 5 * size)
        }
    }
}
