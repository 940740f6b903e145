import Ledger
import Postgres
import Runtime

/// `wallet migrate`: brings both schemas up to date, or tells how they stand.
enum MigrateCommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(
            name: "migrate", summary: "Create or update the database schemas.",
            discussion: """
                up      applies what is missing, one transaction for each file, under a lock
                status  lists the migrations and when each was applied
                verify  compares the files and the databases with the recorded checksums
                """,
            options: [.configurationFile], positionals: [("ACTION", "up, status or verify.")],
            requiredPositionals: 1),
        run: run)

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        let action = arguments.positionals.first ?? ""
        guard let act = actions[action] else {
            throw UsageError("migrate does not know \"\(action)\": write up, status or verify")
        }
        let context = try ProcessContext("migrate", Settings.operations, arguments)
        return try await runOnOwnThread("migrate") {
            var isClean = true
            for schema in context.schemas { isClean = try act(schema) && isClean }
            return isClean ? 0 : 1
        }
    }

    private static let actions: [String: @Sendable (Schema) throws -> Bool] = [
        "up": up, "status": status, "verify": verify,
    ]

    private static func up(_ schema: Schema) throws -> Bool {
        let applied = try schema.migrator().up()
        for file in applied { Terminal.write("\(schema.name): applied \(file)\n") }
        if applied.isEmpty { Terminal.write("\(schema.name): up to date\n") }
        return true
    }

    private static func status(_ schema: Schema) throws -> Bool {
        for step in try schema.migrator().status() {
            let when = step.appliedAt.map { Timestamp(microseconds: $0).text } ?? "not applied"
            Terminal.write("\(schema.name): \(step.file)  \(when)\n")
        }
        return true
    }

    private static func verify(_ schema: Schema) throws -> Bool {
        let waiting = try schema.migrator().verify()
        Terminal.write(
            waiting == 0
                ? "\(schema.name): files and database agree\n"
                : "\(schema.name): \(waiting) migrations wait; run `wallet migrate up`\n")
        return waiting == 0
    }
}
