import Commands
import Foundation
import Runtime
import Testing

/// What the documents say about the program is so.
@Suite struct ReadmeTests {
    private static func text(_ path: String) throws -> String {
        try String(contentsOf: BuiltProgram.checkout.appending(path: path), encoding: .utf8)
    }

    /// The table in a text that begins with `header`, up to the first line that is no row.
    static func table(under header: Substring, in text: String) -> String? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(of: header) else { return nil }
        return lines[start...].prefix { $0.hasPrefix("|") }.map { "\($0)\n" }.joined()
    }

    @Test func theConfigurationTableIsTheGeneratedOne() throws {
        let generated = Configuration.markdown(Settings.all)
        let header = try #require(generated.split(separator: "\n").first)
        let written = try #require(Self.table(under: header, in: try Self.text("README.md")))
        #expect(written == generated, "put the output of `wallet config --markdown` into README.md")
        #expect(try BuiltProgram(["config", "--markdown"]).output == generated)
    }

    @Test func noticesATableThatDiffers() {
        let text = "words\n| A | B |\n|---|---|\n| 1 | 2 |\n\n| A | C |\n"
        #expect(Self.table(under: "| A | B |", in: text) == "| A | B |\n|---|---|\n| 1 | 2 |\n")
        #expect(Self.table(under: "| X |", in: text) == nil)
    }

    /// Metrics that alerts are built on must exist under that name.
    @Test func theMetricsItNamesExist() throws {
        let named = Self.metrics(in: try Self.text("README.md"))
        #expect(!named.isEmpty)
        let sources = try Self.sources()
        for name in named { #expect(sources.contains("\"\(name)\""), "no source declares the metric \(name)") }
    }

    static func metrics(in text: String) -> Set<String> {
        Set(text.matches(of: /`(wallet_[a-z_]+)/).map { String($0.1) })
    }

    @Test func findsTheNamesOfMetrics() {
        #expect(Self.metrics(in: "see `wallet_a_total{x=\"y\"}`, wallet_b and `WALLET_C`") == ["wallet_a_total"])
    }

    private static func sources() throws -> String {
        let folder = BuiltProgram.checkout.appending(path: "Sources")
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path())
        return try names.filter { $0.hasSuffix(".swift") }.map { try text("Sources/\($0)") }.joined()
    }

    /// Links between the documents lead to files; so do paths of sources in their text.
    @Test func whatTheDocumentsPointToExists() throws {
        let decisions = try FileManager.default.contentsOfDirectory(
            atPath: BuiltProgram.checkout.appending(path: "specification/decisions").path())
        #expect(!decisions.isEmpty)
        for path in ["README.md", "CHANGELOG.md"] + decisions.map({ "specification/decisions/\($0)" }) {
            let folder = path.split(separator: "/").dropLast().joined(separator: "/")
            for target in Self.targets(in: try Self.text(path)) {
                let isFromRoot = ["Sources/", "Tests/", "specification/", "migrations/", "scripts/"]
                    .contains { target.hasPrefix($0) }
                let file = isFromRoot || folder.isEmpty ? target : "\(folder)/\(target)"
                let url = BuiltProgram.checkout.appending(path: file)
                #expect(FileManager.default.fileExists(atPath: url.path()), "\(path) points to \(target)")
            }
        }
    }

    /// The files that a text links to or names with their folder.
    static func targets(in text: String) -> Set<String> {
        let links = text.matches(of: /\]\(([^)#:]+)(#[^)]*)?\)/).map { String($0.1) }
        let paths = text.matches(of: /`((Sources|Tests|specification|migrations|scripts)\/[\w+.\/-]+)`/)
        return Set(links + paths.map { String($0.1) })
    }

    @Test func findsWhatATextPointsTo() {
        let text = "see [a](b/c.md#d), [e](https://f/g), `Sources/API/Router.swift` and `make up`"
        #expect(Self.targets(in: text) == ["b/c.md", "Sources/API/Router.swift"])
    }
}
