import Runtime
import Testing

private enum Way: String, CaseIterable {
    case up, verify
}

@Suite struct CommandLineTests {
    private let program = CommandLineInterface(
        program: "wallet", summary: "A wallet ledger.",
        commands: [
            CommandSpecification(
                name: "bench", summary: "Measure.", discussion: "It measures.",
                options: [
                    .value("rate", "N", default: "100", "Requests a second."), .flag("hot", "One wallet."),
                    .value("url", "URL", isRequired: true, "Where to."), .value("way", "WAY", "Which way."),
                ],
                positionals: [("OUT", "Where to write."), ("MORE", "More.")], requiredPositionals: 1),
            CommandSpecification(name: "version", summary: "Print the version."),
        ])

    private func run(_ words: String...) throws -> ParsedArguments {
        guard case .run("bench", let parsed) = try program.parse(["bench"] + words) else {
            throw UsageError("not a command to run")
        }
        return parsed
    }

    private func refusal(_ words: String...) -> String {
        do {
            _ = try program.parse(words)
            return ""
        } catch {
            return String(error.description.prefix { $0 != "\n" })
        }
    }

    @Test func readsBothFormsFlagsAndWords() throws {
        let parsed = try run("out", "--url", "http://x", "--rate=-5", "--hot", "--", "--more")
        #expect(parsed.value("url") == "http://x")
        #expect(try parsed.int("rate", in: -10...10) == -5)
        #expect(parsed.flag("hot"))
        #expect(parsed.positionals == ["out", "--more"])
        #expect(parsed.value("way") == nil)
    }

    @Test func typedValuesAreChecked() throws {
        let parsed = try run("out", "--url=a=b", "--way", "uq")
        #expect(parsed.value("url") == "a=b")
        #expect(try parsed.int("rate", in: 1...1000) == 100)
        #expect(throws: UsageError("--rate is \"100\": write a whole number in 1...9")) {
            try parsed.int("rate", in: 1...9)
        }
        #expect(throws: UsageError("--way is \"uq\": write one of up, verify; did you mean up?")) {
            try parsed.choice("way", of: Way.self)
        }
        #expect(try run("out", "--url=x", "--way=up").choice("way", of: Way.self) == .up)
    }

    @Test func refusalsNameTheSlip() {
        #expect(refusal("benhc") == "there is no command \"benhc\"; did you mean bench?")
        #expect(refusal("bench", "--rat", "5") == "bench has no option --rat; did you mean --rate?")
        #expect(refusal("bench", "-r") == "bench has no option -r")
        #expect(refusal("bench", "--hot=1") == "--hot takes no value")
        #expect(refusal("bench", "--rate") == "--rate needs a value: --rate N")
        #expect(refusal("bench", "--rate", "--hot") == "--rate needs a value: --rate N")
        #expect(refusal("bench", "--rate=1", "--rate=2") == "--rate is given twice")
        #expect(refusal("bench", "--url=x") == "bench needs OUT")
        #expect(refusal("bench", "out") == "bench needs --url URL")
        #expect(refusal("version", "now") == "version does not take \"now\"")
        #expect(UsageError.exitCode == 2)
    }

    @Test func explainsItself() throws {
        for words in [[], ["help"], ["--help"], ["-h"]] {
            guard case .help(let text) = try program.parse(words) else {
                Issue.record("no help for \(words)")
                continue
            }
            #expect(text.contains("  bench    Measure.\n  version  Print the version.\n"))
        }
        for words in [["help", "bench"], ["bench", "--help"], ["bench", "--rate", "1", "-h"]] {
            guard case .help(let text) = try program.parse(words) else {
                Issue.record("no help for \(words)")
                continue
            }
            #expect(text.contains("Usage: wallet bench [OPTIONS] OUT [MORE]\n\nIt measures.\n"))
            #expect(text.contains("  --rate N   Requests a second. Default: 100.\n"))
            #expect(text.contains("  --url URL  Where to. Required.\n"))
        }
    }
}
