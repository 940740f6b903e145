// swift-tools-version: 6.2
// The targets and their allowed edges: the architecture, held by the compiler and by TidyTests.
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// A product target and what it may import.
func source(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// The test target of `name`; it may use the shared fixtures.
func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name), "TestSupport"] + dependencies, swiftSettings: settings
    )
}

let package = Package(
    name: "wallet",
    products: [.executable(name: "wallet", targets: ["wallet"])],
    targets: [
        .systemLibrary(name: "CLibPQ"),
        .systemLibrary(name: "CNATS"),
        .systemLibrary(name: "CSSL"),
        .systemLibrary(name: "CSys"),
        source("JSON"),
        source("Ledger"),
        source("Digest", ["CSSL"]),
        source("Events", ["JSON", "Ledger"]),
        source("Requests", ["Digest", "Ledger"]),
        source("Runtime", ["Ledger"]),
        source("Observability", ["Runtime"]),
        source("Postgres", ["CLibPQ", "Digest", "Ledger", "Runtime", "Observability"]),
        source("Messaging", ["CNATS", "JSON", "Runtime", "Observability"]),
        source("HTTPServer", ["CSys", "Runtime", "Observability"]),
        source("LedgerStore", ["Ledger", "Digest", "Events", "JSON", "Postgres", "Runtime", "Observability"]),
        source(
            "Projections",
            ["Ledger", "Events", "JSON", "Postgres", "Messaging", "LedgerStore", "Runtime", "Observability"]),
        source("Outbox", ["Postgres", "Messaging", "Ledger", "Events", "Runtime", "Observability"]),
        source(
            "Provisioning",
            [
                "Ledger", "Events", "JSON", "Requests", "Postgres", "Messaging", "LedgerStore", "Runtime",
                "Observability",
            ]),
        source(
            "API",
            [
                "JSON", "Ledger", "Digest", "Requests", "Events", "LedgerStore", "Projections", "HTTPServer", "Runtime",
                "Observability",
            ]),
        source("Bench", ["CSys", "JSON", "Ledger", "Runtime"]),
        source(
            "Commands",
            [
                "JSON", "Ledger", "Digest", "Events", "Runtime", "Observability", "Postgres", "Messaging",
                "HTTPServer", "LedgerStore", "Projections", "Outbox", "Provisioning", "API", "Bench",
            ]),
        .executableTarget(name: "wallet", dependencies: ["Commands"], swiftSettings: settings),
        .target(
            name: "TestSupport", dependencies: ["Ledger", "Postgres", "Messaging", "Runtime", "Observability"],
            path: "Tests/TestSupport", swiftSettings: settings),
        tests(of: "JSON"),
        tests(of: "Ledger"),
        tests(of: "Digest"),
        tests(of: "Events", ["JSON", "Ledger"]),
        tests(of: "Requests", ["Ledger"]),
        tests(of: "Runtime", ["Ledger"]),
        tests(of: "Observability", ["Runtime"]),
        tests(of: "Postgres", ["Ledger", "Runtime", "Observability"]),
        tests(of: "Messaging", ["JSON", "Runtime", "Observability"]),
        tests(of: "HTTPServer", ["Runtime", "Observability"]),
        tests(of: "LedgerStore", ["Ledger", "Events", "JSON", "Postgres", "Runtime", "Observability"]),
        tests(
            of: "Projections",
            ["Ledger", "Events", "JSON", "Postgres", "Messaging", "LedgerStore", "Outbox", "Runtime", "Observability"]),
        tests(
            of: "Provisioning",
            [
                "Ledger", "Events", "JSON", "Requests", "Postgres", "Messaging", "LedgerStore", "Runtime",
                "Observability",
            ]),
        tests(of: "Outbox", ["Ledger", "Events", "Postgres", "Messaging", "Runtime", "Observability"]),
        tests(
            of: "API",
            [
                "JSON", "Ledger", "Digest", "Events", "LedgerStore", "Projections", "HTTPServer", "Postgres",
                "Runtime", "Observability",
            ]),
        tests(of: "Bench", ["JSON", "Ledger", "Runtime"]),
        tests(of: "Commands", ["wallet", "Runtime", "Observability", "Postgres"]),
        .testTarget(name: "SystemTests", dependencies: ["wallet", "TestSupport", "JSON"], swiftSettings: settings),
        .testTarget(name: "TidyTests", swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
