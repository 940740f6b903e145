import Ledger
import LedgerStore
import Observability
import Postgres
import Projections
import Provisioning
import Runtime

/// `wallet deadletters`: shows the events that were put aside, and decides about them.
enum DeadLettersCommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(
            name: "deadletters", summary: "List, retry or drop events that were put aside.",
            discussion: """
                list    shows them, oldest first
                retry   uses an event again as the worker does, and removes it when that succeeds
                drop    removes an event for good; --reason goes into the log
                ID is projection-N for our own events that a projector could not apply, provisioning-N for events of \
                users that gave no wallet, or all. Exit code 1: there is no such event, or a retry failed.
                """,
            options: [
                .configurationFile, .flag("json", "list: one JSON object a line, with the event."),
                .value("reason", "TEXT", "drop: why; required."),
            ],
            positionals: [("ACTION", "list, retry or drop."), ("ID", "Which event; retry and drop need it.")],
            requiredPositionals: 1),
        run: run)

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        let action = try DeadLetterAction(arguments)
        let keys = Settings.operations + Settings.writer + Settings.userWallets
        let context = try ProcessContext("deadletters", keys, arguments)
        try await context.checkDatabases()
        switch action {
        case .list(let asJSON):
            try await list(context, asJSON: asJSON)
            return 0
        case .retry(let choice):
            return try await retry(choice, context)
        case .drop(let choice, let reason):
            return try await decide(choice, context) { side, letters in
                let done = try await side.remove(letters.map(\.id), context)
                for letter in letters where done.contains(letter.id) {
                    context.logger.warning(
                        "a dead letter was dropped",
                        [
                            "dead_letter": .string(side.name(letter)), "reason": .string(reason),
                            "stream": .string(letter.stream), "sequence": .int(Int(letter.sequence)),
                            "index": .int(letter.index), "put_aside_because": .string(letter.reason),
                        ])
                    Terminal.write("\(side.name(letter)): dropped\n")
                }
                return true
            }
        }
    }

    private static func list(_ context: ProcessContext, asJSON: Bool) async throws {
        var listing = DeadLetterListing(asJSON: asJSON)
        for side in DeadLetterSide.allCases {
            var last: Int64 = 0
            while true {
                let page = try await side.page(after: last, context)
                Terminal.write(listing.text(of: page, side))
                guard let end = page.last else { break }
                last = end.id
            }
        }
        Terminal.write(listing.end)
    }

    private static func retry(_ choice: DeadLetterChoice, _ context: ProcessContext) async throws -> Int32 {
        let writer = context.makeWriter()
        let running = Task { try await writer.run() }
        let users = UserProvisioning(assets: context.userAssets, writer: writer)
        let code: Result<Int32, any Error>
        do {
            code = .success(
                try await decide(choice, context) { side, letters in
                    let flaws = try await side.apply(letters, users, context)
                    var done: [Int64] = []
                    for (letter, flaw) in zip(letters, flaws) {
                        if let flaw {
                            Terminal.complain("\(side.name(letter)): failed: \(flaw)")
                        } else {
                            done.append(letter.id)
                        }
                    }
                    _ = try await side.remove(done, context)
                    for letter in letters where done.contains(letter.id) {
                        Terminal.write("\(side.name(letter)): done\n")
                    }
                    return done.count == letters.count
                })
        } catch {
            code = .failure(error)
        }
        await writer.stop()
        _ = try? await running.value
        return try code.get()
    }

    /// Hands the chosen letters to `body` in portions, which returns whether all went well. Returns the exit code.
    private static func decide(
        _ choice: DeadLetterChoice, _ context: ProcessContext,
        _ body: (DeadLetterSide, [StoredDeadLetter]) async throws -> Bool
    ) async throws -> Int32 {
        switch choice {
        case .one(let side, let id):
            guard let letter = try await side.letter(id, context) else {
                Terminal.complain("wallet: there is no dead letter \(side.rawValue)-\(id)")
                return 1
            }
            return try await body(side, [letter]) ? 0 : 1
        case .all:
            var isClean = true
            for side in DeadLetterSide.allCases {
                var last: Int64 = 0
                while true {
                    let page = try await side.page(after: last, context)
                    guard let end = page.last else { break }
                    isClean = try await body(side, page) && isClean
                    last = end.id
                }
            }
            return isClean ? 0 : 1
        }
    }
}

/// What is asked for.
private enum DeadLetterAction {
    case list(asJSON: Bool)
    case retry(DeadLetterChoice)
    case drop(DeadLetterChoice, reason: String)

    init(_ arguments: ParsedArguments) throws(UsageError) {
        let word = arguments.positionals[0]
        let id = arguments.positionals.dropFirst().first
        let reason = arguments.value("reason")
        guard arguments.flag("json") == false || word == "list" else { throw UsageError("--json is for list") }
        guard reason == nil || word == "drop" else { throw UsageError("--reason is for drop") }
        switch word {
        case "list":
            guard id == nil else { throw UsageError("deadletters list takes no ID") }
            self = .list(asJSON: arguments.flag("json"))
        case "retry":
            self = .retry(try DeadLetterChoice(id))
        case "drop":
            let choice = try DeadLetterChoice(id)
            guard let reason, !reason.isEmpty else { throw UsageError("deadletters drop needs --reason TEXT") }
            self = .drop(choice, reason: reason)
        default:
            throw UsageError("deadletters does not know \"\(word)\": write list, retry or drop")
        }
    }
}

/// Which letters are meant.
enum DeadLetterChoice: Equatable, Sendable {
    case one(DeadLetterSide, Int64)
    case all

    init(_ text: String?) throws(UsageError) {
        guard let text else { throw UsageError("name one event, such as provisioning-7, or write all") }
        guard text != "all" else {
            self = .all
            return
        }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let side = DeadLetterSide(rawValue: String(parts[0])), let id = Int64(parts[1]), id > 0
        else { throw UsageError("\"\(text)\" is no event: write projection-N, provisioning-N or all") }
        self = .one(side, id)
    }
}
